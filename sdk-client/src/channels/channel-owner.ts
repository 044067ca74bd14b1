import type { Authorizer, TokenSource } from '../auth/grants.ts';
import type { AttemptSettings } from '../connection/attempt.ts';
import type { Retries } from '../connection/retries.ts';
import type { Metadata } from '../emitter.ts';
import type { Acknowledgements } from './acknowledgements.ts';
import type { SubscriptionError } from './subscription-error.ts';

/** What a channel uses of its client. */
export interface ChannelOwner extends AttemptSettings {
  readonly socketId: string | undefined;
  send(frame: string): boolean;
  readonly acknowledgements: Acknowledgements;
  /** Whether the broker answers client events. */
  readonly isCapable: boolean;
  readonly authorizer: Authorizer;
  readonly token: TokenSource | undefined;
  readonly retries: Retries;
  /** Collects the grants that are about to end, so that they share a request. */
  readonly renewals: Retries;
  /** The id of the signed-in user, once a sign-in in progress is over. */
  userId(): Promise<string | undefined>;
  /** Passes an event of a channel to listeners on the client. */
  emit(event: string, data: unknown, metadata?: Metadata): void;
  /** Warns of a subscription that failed and that the app does not listen to. */
  unheard(channelName: string, error: SubscriptionError): void;
}
