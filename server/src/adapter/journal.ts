import type { Topic } from './topic.ts';

/** What happened on a topic that the backend of an app may want to know. */
export type DomainEvent =
  | {
      readonly kind: 'occupied' | 'vacated';
      readonly topic: Topic;
      readonly socketId: string;
      readonly reason?: string;
    }
  | {
      readonly kind: 'memberAdded' | 'memberRemoved';
      readonly topic: Topic;
      readonly userId: string;
      readonly socketId: string;
      /** Why the seat was given up. */
      readonly reason?: string;
    }
  | {
      readonly kind: 'userOnline' | 'userOffline';
      readonly appId: string;
      readonly userId: string;
      readonly socketId: string;
      readonly reason?: string;
    }
  | {
      readonly kind: 'clientEvent';
      readonly topic: Topic;
      readonly name: string;
      readonly data: string;
      readonly userId: string | undefined;
      readonly socketId: string;
      /** The `traceparent` of what caused it. */
      readonly traceparent: string | undefined;
    }
  /** The grant of a subscription has ended, or a sign-in: then on the user's own channel. */
  | {
      readonly kind: 'grantExpired';
      readonly topic: Topic;
      readonly userId: string | undefined;
      readonly grantId: string | undefined;
      readonly socketId: string;
    }
  /** The application has taken the grant of a subscription back. */
  | {
      readonly kind: 'grantRevoked';
      readonly topic: Topic;
      readonly userId: string | undefined;
      readonly grantId: string | undefined;
      readonly socketId: string;
      readonly reason: string;
    }
  /** An app has used most of a quota. */
  | {
      readonly kind: 'quotaWarning';
      readonly appId: string;
      readonly quota: string;
      readonly limit: number;
      readonly used: number;
      readonly ratio: number;
      /** Unix seconds at which its next period begins. */
      readonly resetsAt: number;
    }
  | { readonly kind: 'cacheMiss'; readonly topic: Topic }
  | { readonly kind: 'subscriptionCount'; readonly topic: Topic; readonly count: number };

/** Records events before subscribers see their effects. */
export interface Journal {
  /**
   * Records the events of one change, in their order. The changes of one topic arrive in the order in which they happened.
   *
   * @returns a promise that resolves once the events cannot be lost any more, and rejects if they are lost, which the
   *   journal itself reports; `undefined` if no hook wants them, so that nothing waits
   */
  record(events: readonly DomainEvent[]): Promise<void> | undefined;
}

/** Records nothing. */
export const NO_JOURNAL: Journal = { record: () => undefined };
