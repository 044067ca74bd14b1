/** The answers of the admin API, as the schemas describe them that check its requests. */
import type { z } from 'zod';
import type {
  appAnswer,
  deletionAnswer,
  entryAnswer,
  hookAnswer,
  hookSecretMade,
  keyAnswer,
  liveStatsAnswer,
  newHookAnswer,
  newKeyAnswer,
  newTokenAnswer,
  nodeAnswer,
  statsAnswer,
  tokenAnswer,
} from '../../../../src/admin/http/schemas.ts';
import type { AdminRole } from '../../../../src/config/admin.ts';

import type { UsageView, usageFields } from '../../../../src/usage/usage-view.ts';

export type { AdminRole, UsageView };
export type AppView = z.infer<typeof appAnswer>;
export type KeyView = z.infer<typeof keyAnswer>;
export type NewKey = z.infer<typeof newKeyAnswer>;
export type HookView = z.infer<typeof hookAnswer>;
export type NewHook = z.infer<typeof newHookAnswer>;
export type HookSecret = z.infer<typeof hookSecretMade>;
export type LiveStats = z.infer<typeof liveStatsAnswer>;
export type StatsView = z.infer<typeof statsAnswer>;
export type Deletion = z.infer<typeof deletionAnswer>;
export type UsageField = (typeof usageFields)[number];
/** What one or several apps have used in a period. */
export type UsagePeriod = Pick<UsageView, UsageField | 'from' | 'complete'>;
/** What an app has used in a range. */
export type UsageTotal = Pick<UsageView, UsageField | 'app'>;
export type NodeView = z.infer<typeof nodeAnswer>;
export type AuditEntry = z.infer<typeof entryAnswer>;
export type TokenView = z.infer<typeof tokenAnswer>;
export type NewToken = z.infer<typeof newTokenAnswer>;

/** How one can sign in as an administrator. */
export interface WaysIn {
  readonly token: boolean;
  /** The host of an identity provider. */
  readonly provider?: string;
}

/** Who has signed in. */
export interface Me {
  /** Of the token. */
  readonly name: string;
  readonly role: AdminRole;
  /** The apps that the token is for; left out: all. */
  readonly apps?: readonly string[];
  /** Unix seconds. */
  readonly expires_at: number | null;
  /** Whether apps and tokens can be made. */
  readonly has_store: boolean;
}

/** A page of a list. */
export type Page<Name extends string, Item> = Readonly<Record<Name, readonly Item[]>> & {
  /** For the next page. */
  readonly cursor?: string;
};
