import type { TokenIssuer } from '../apps/token-settings.ts';

/** What may be done in a channel. */
export type Action = 'subscribe' | 'publish';

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
