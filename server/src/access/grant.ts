import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/app-key.ts';
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

/** Whether the app still has the key that signed the grant, with the same secret, or trusts the issuer of its token. */
export function isValid({ key, token }: Pick<Grant, 'key' | 'token'>, app: App): boolean {
  if (token && app.tokens?.issuer(token.issuer.name) !== token.issuer) return false;
  return key === undefined || app.accepts(key);
}

/** Why a subscription ends when its grant is not valid any more. */
export function keyRemoved(): SubscriptionRefusal {
  return new SubscriptionRefusal(
    'AuthError',
    401,
    'key_removed',
    'The key that signed the subscription was removed',
  );
}

/** Why a subscription ends at the end of its grant. */
export function grantExpired(): SubscriptionRefusal {
  return new SubscriptionRefusal('GrantExpired', 401, 'grant_expired', 'The grant has expired');
}
