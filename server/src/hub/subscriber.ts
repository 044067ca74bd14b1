import type { Seat } from '../adapter/adapter.ts';
import type { SubscriptionRefusal } from '../errors.ts';
import type { Frame } from '../protocol/frames.ts';

/** What the hub needs of a connection. */
export interface Subscriber extends Seat {
  /** Who it has signed in as, if it has. */
  readonly userId?: string | undefined;
  /** Queues a frame; what one subscriber is sent, it is sent in this order. */
  send(frame: Frame): void;
  /**
   * Its subscription to a channel was ended.
   *
   * @param left resolves when its seat is given up
   */
  lose(channel: string, why: SubscriptionRefusal, left: Promise<unknown>): void;
  /** Closes it, so that it comes back at once and proves anew what it may. */
  renew(reason: string): void;
}
