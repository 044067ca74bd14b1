import { ClaimRefusal, type Claims, readClaims, type Signed } from '../../access/claims.ts';
import type { App } from '../../apps/app.ts';
import { SubscriptionRefusal, type SubscriptionRefusalType } from '../../errors.ts';
import type { Member } from '../../protocol/frames.ts';
import type { JsonObject } from '../../protocol/messages.ts';

/**
 * Reads the claims of `channel_data`.
 *
 * @throws SubscriptionRefusal if they are not valid
 */
export function readChannelClaims(object: JsonObject, data: string, now: number): Signed {
  try {
    return readClaims(object, data, 'channel', now);
  } catch (error) {
    throw error instanceof ClaimRefusal ? refusalOf(error) : error;
  }
}

function refusalOf({ code, message, claim }: ClaimRefusal): SubscriptionRefusal {
  const refused = (type: SubscriptionRefusalType, status: number) =>
    new SubscriptionRefusal(type, status, code, message, undefined, { claim });
  switch (code) {
    case 'claim_unknown':
    case 'claim_invalid':
      return refused('InvalidChannelData', 400);
    case 'grant_expired':
      return refused('GrantExpired', 401);
    case 'grant_without_subscribe':
      return refused('AuthError', 403);
  }
}

/**
 * Checks whether the app accepts a grant with these claims for this user.
 *
 * @param member the member that the grant makes
 * @param signedInAs the user that the connection has signed in as
 * @throws SubscriptionRefusal if it does not
 */
export function checkClaims(
  app: App,
  claims: Claims | undefined,
  member: Member | undefined,
  signedInAs: string | undefined,
): void {
  if (app.grants.requireExpiry && claims?.expiresAt === undefined) {
    const why = 'The app accepts no grant without an end: the claim exp is missing';
    throw new SubscriptionRefusal('AuthError', 401, 'grant_without_expiry', why, undefined, { claim: 'exp' });
  }
  const userId = claims?.userId;
  if (userId === undefined) return;
  for (const other of [member?.userId, signedInAs]) {
    if (other === undefined || other === userId) continue;
    const why = 'The grant is for another user';
    throw new SubscriptionRefusal('AuthError', 403, 'grant_user_mismatch', why, undefined, { claim: 'user' });
  }
}
