import type { Topic } from '../../adapter/topic.ts';
import type { LocalChannel } from '../local-channel.ts';
import type { Subscriber } from '../subscriber.ts';
import type { Subscription } from '../subscriptions/subscription.ts';

/** A subscription that a revocation concerns. */
export interface Concerned {
  readonly topic: Topic;
  readonly local: LocalChannel;
  readonly subscriber: Subscriber;
  readonly subscription: Subscription;
}
