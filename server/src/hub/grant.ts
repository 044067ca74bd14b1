import type { App } from '../apps/app.ts';
import type { AppKey } from '../apps/app-key.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Member } from '../protocol/frames.ts';

/** What lets one connection into one channel, for as long as its key stands. */
export interface Grant {
  /** The key that signed it: in a user's own channel the one that signed the sign-in, in a public channel none. */
  readonly key: AppKey | undefined;
  /** Who the connection is there, in a presence channel. */
  readonly member: Member | undefined;
}

/** What lets everybody into a public channel. */
export const PUBLIC_GRANT: Grant = { key: undefined, member: undefined };

/** Whether the key that signed it is one of the app, with the same secret. */
export function isValid({ key }: Grant, app: App): boolean {
  return key === undefined || app.accepts(key);
}

/** Why a subscription ends whose grant does not stand any more. */
export function keyRemoved(): SubscriptionRefusal {
  return new SubscriptionRefusal('AuthError', 401, 'The key that signed the subscription was removed');
}
