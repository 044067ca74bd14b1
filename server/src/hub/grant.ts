import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/app-key.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Member } from '../protocol/frames.ts';

/** The right of one connection to be in one channel, while its key is valid. */
export interface Grant {
  /** The key that signed it. In a user's own channel this is the key of the sign-in; public channels have none. */
  readonly key: AppKey | undefined;
  /** The member, in a presence channel. */
  readonly member: Member | undefined;
}

/** The grant of every subscriber of a public channel. */
export const PUBLIC_GRANT: Grant = { key: undefined, member: undefined };

/** Whether the app still has the key that signed the grant, with the same secret. */
export function isValid({ key }: Grant, app: App): boolean {
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
