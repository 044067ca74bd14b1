import type { TokenIssuer } from '../apps/token-settings.ts';

/** What may be done in a channel. */
export type Action = 'subscribe' | 'publish';

export function isAction(value: unknown): value is Action {
  return value === 'subscribe' || value === 'publish';
}

/** The first of a list that is no action, as people may be shown it; `undefined` if there is none, or it is no list. */
export function unknownAction(value: unknown): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const unknown = value.findIndex((each) => !isAction(each));
  return unknown < 0 ? undefined : (JSON.stringify(value[unknown])?.slice(0, 64) ?? 'undefined');
}

/** A verified token: whose connection it makes, and which channels it opens. */
export interface Token {
  readonly issuer: TokenIssuer;
  readonly userId: string;
  /** JSON of an object, as the issuer wrote it. */
  readonly userInfo: string | undefined;
  /** Unix seconds. */
  readonly issuedAt: number | undefined;
  /** Unix seconds. */
  readonly expiresAt: number;
  /** What may be done in the channels of each pattern. */
  readonly channels: ReadonlyMap<string, readonly Action[]>;
}
