import type { Topic } from './topic.ts';

/** What the backend of an app may want to know. */
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
      /** Why he left. */
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
    }
  | { readonly kind: 'cacheMiss'; readonly topic: Topic }
  | { readonly kind: 'subscriptionCount'; readonly topic: Topic; readonly count: number };

/** Is told what happens before others are shown it. */
export interface Journal {
  /**
   * Takes down what one change brought, in its order; for one topic changes come in the order in which they happened.
   *
   * @returns a promise for the moment from which on it cannot be lost, rejected if it is lost, which the journal
   *   itself reports; `undefined` if nobody wants to know, and then nothing waits
   */
  record(happenings: readonly DomainEvent[]): Promise<void> | undefined;
}

/** Takes nothing down. */
export const NO_JOURNAL: Journal = { record: () => undefined };
