import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/keys/app-key.ts';
import type { ErrorCode } from '../error-codes.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Member } from '../protocol/frames.ts';
import type { Claims } from './claims.ts';
import type { Token } from './token.ts';

/** What lets one connection into one channel. */
export interface Grant {
  /** The key that signed it. In a user's own channel this is the key of the sign-in; public channels have none. */
  readonly key: AppKey | undefined;
  /** The member, in a presence channel. */
  readonly member: Member | undefined;
  /** How it is narrowed; a bare signature has none. */
  readonly claims: Claims | undefined;
  /** `channel_data` as it was signed: only if a backend is asked to renew it, because it takes memory. */
  readonly signedData?: string | undefined;
  /** The token that it stands in, if it is none of a signature. */
  readonly token?: Token | undefined;
}

/** The grant of every subscriber of a public channel. */
export const PUBLIC_GRANT: Grant = { key: undefined, member: undefined, claims: undefined };

/** The user that a grant names: the member of a presence channel, else the user of the claims. */
export function userOf({ member, claims }: Grant): string | undefined {
  return member?.userId ?? claims?.userId;
}

/** Why what a key or the issuer of a token vouched for is not valid any more, as the code and the verb of a refusal; `undefined` if it is. */
export function whyUntrusted(
  { key, token }: Pick<Grant, 'key' | 'token'>,
  app: App,
): readonly [code: ErrorCode, verb: string] | undefined {
  if (key && !app.accepts(key)) return app.hasRevoked(key) ? REVOKED : REMOVED;
  if (token && app.tokens?.issuer(token.issuer.name) !== token.issuer) return REMOVED;
  return undefined;
}

const REVOKED = ['key_revoked', 'revoked'] as const;
const REMOVED = ['key_removed', 'removed'] as const;

/** Why a subscription ends, or is not made, because its grant is not valid any more; `undefined` if it is. */
export function whyInvalid(grant: Grant, app: App): SubscriptionRefusal | undefined {
  const why = whyUntrusted(grant, app);
  if (!why) return undefined;
  const [code, verb] = why;
  return new SubscriptionRefusal('AuthError', 401, code, `The key that signed the subscription was ${verb}`);
}

/** Why a subscription ends at the end of its grant. */
export function grantExpired(): SubscriptionRefusal {
  return new SubscriptionRefusal('GrantExpired', 401, 'grant_expired', 'The grant has expired');
}
