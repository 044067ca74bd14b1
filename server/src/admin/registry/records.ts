/** What the app store keeps of an app and of a token, and what the broker makes of it. */
import { z } from 'zod';
import { type AppConfig, appSchema } from '../../apps/app.ts';
import { keyStates } from '../../apps/keys/app-key.ts';
import { adminRoles } from '../../config/admin.ts';

const time = z.int();

const keyRecord = z.object({
  key: z.string(),
  /** A client key has none. */
  secret: z.string().optional(),
  /** A revoked key stays, so that it can be seen, and is never valid again. */
  state: z.enum(keyStates),
  /** null: everything. */
  scopes: z.array(z.string()).readonly().nullable().default(null),
  expires_at: time.nullable(),
  created_at: time,
});

const hookSecret = z.object({
  id: z.string(),
  secret: z.string(),
  created_at: time,
  ends_at: time.nullable(),
});

const hookRecord = z.object({
  id: z.string(),
  /** As in the configuration, without `id`, `secret` and `secrets`. */
  settings: z.record(z.string(), z.unknown()),
  /** Newest first. */
  secrets: z.array(hookSecret),
  created_at: time,
});

const appRecord = z.object({
  id: z.string(),
  /** As in the configuration, without `id`, `keys` and `webhooks`: only what was set. */
  settings: z.record(z.string(), z.unknown()),
  keys: z.array(keyRecord),
  webhooks: z.array(hookRecord),
  created_at: time,
  updated_at: time,
});

const tokenRecord = z.object({
  name: z.string(),
  hash: z.string(),
  role: z.enum(adminRoles),
  apps: z.array(z.string()).optional(),
  expires_at: time.nullable(),
  created_at: time,
});

export type KeyRecord = z.infer<typeof keyRecord>;
export type HookSecret = z.infer<typeof hookSecret>;
export type HookRecord = z.infer<typeof hookRecord>;
export type AppRecord = z.infer<typeof appRecord>;
export type TokenRecord = z.infer<typeof tokenRecord>;

/** What is kept, by kind. */
export type Kept =
  | { readonly kind: 'app'; readonly record: AppRecord }
  | { readonly kind: 'token'; readonly record: TokenRecord };

const kept = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('app'), record: appRecord }),
  z.object({ kind: z.literal('token'), record: tokenRecord }),
]);

/** @throws Error if the text is none of a document */
export function readKept(text: string): Kept {
  return kept.parse(JSON.parse(text));
}

/** The id of a document. */
export function documentId(kind: Kept['kind'], name: string): string {
  return `${kind}:${name}`;
}

/** The settings that the configuration of an app takes from its record. `now` is in Unix seconds. */
export function appInput({ id, settings, keys, webhooks }: AppRecord, now: number): object {
  return {
    ...settings,
    id,
    keys: keys.map(({ key, secret, state, scopes, expires_at, created_at }) => ({
      key,
      ...(secret !== undefined && { secret }),
      state,
      ...(scopes && { scopes }),
      ...(expires_at !== null && { expiresAt: isoOf(expires_at) }),
      createdAt: isoOf(created_at),
    })),
    webhooks: webhooks.map((hook) => {
      const secrets = hook.secrets.filter(({ ends_at }) => isAhead(ends_at, now)).map(({ secret }) => secret);
      return { ...hook.settings, id: hook.id, ...(secrets.length > 0 && { secrets }) };
    }),
  };
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

export function appConfigOf(record: AppRecord, now: number): AppConfig {
  return appSchema.parse(appInput(record, now));
}

/** When a secret of a webhook ends next, in Unix seconds; `Infinity`: never. */
export function nextEnd({ webhooks }: AppRecord, now: number): number {
  const ends = webhooks.flatMap(({ secrets }) => secrets.map(({ ends_at }) => ends_at));
  return Math.min(...ends.filter((end): end is number => end !== null && end > now), Infinity);
}

export function isAhead(end: number | null, now: number): boolean {
  return end === null || end > now;
}
