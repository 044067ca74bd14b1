import type { Evicted, Message, Version } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { SubscriptionRefusal } from '../errors.ts';
import type { AppMetrics } from '../metrics.ts';
import type { Channel } from '../protocol/channel.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import { isValid } from './grant.ts';
import type { Subscriber } from './subscriber.ts';
import type { News, Subscription } from './subscription.ts';

/** What subscribers are sent. */
export type ChannelMessage = Extract<Message, { kind: 'event' | 'memberAdded' | 'memberRemoved' | 'count' }>;

/** The subscribers that one channel has on this node. */
export class LocalChannel {
  /** Whoever has a snapshot before this version has missed something since. */
  missedUntil: Version = 0;
  /** Whoever joined before this version may have been evicted. */
  evictionMissed: Version = 0;
  readonly #subscriptions = new Map<Subscriber, Subscription>();
  /** Those who wait for their first snapshot: they are sent news once it is there, and no events before. */
  #joining: Map<Subscriber, Subscription> | undefined;
  /** The last count that was told, by its version. */
  #countVersion = 0;

  /** @param listening resolves when messages of the channel arrive at this node */
  constructor(
    readonly app: App,
    readonly channel: Channel,
    readonly listening: Promise<void>,
    readonly metrics: AppMetrics,
  ) {}

  get isEmpty(): boolean {
    return this.#subscriptions.size === 0 && !this.#joining;
  }

  /** Distinct users among the subscribers of a presence channel. */
  countMembers(): number {
    return new Set([...this.#subscriptions.values()].map(({ userId }) => userId)).size;
  }

  get(subscriber: Subscriber): Subscription | undefined {
    return this.#subscriptions.get(subscriber);
  }

  /** Those who have been let in. */
  all(): Iterable<readonly [Subscriber, Subscription]> {
    return this.#subscriptions;
  }

  /** Lets a subscriber wait for its snapshot. */
  addPending(subscriber: Subscriber, subscription: Subscription): void {
    this.#joining ??= new Map();
    this.#joining.set(subscriber, subscription);
  }

  /** The snapshot is there: from here on the subscriber is sent everything. */
  activate(subscriber: Subscriber, subscription: Subscription): void {
    this.#subscriptions.set(subscriber, subscription);
  }

  /** Ends the wait, with or without success. */
  removePending(subscriber: Subscriber): void {
    if (this.#joining?.delete(subscriber) && this.#joining.size === 0) this.#joining = undefined;
  }

  remove(subscriber: Subscriber): boolean {
    return this.#subscriptions.delete(subscriber);
  }

  /** Ends what somebody has joined before a version; answers those who had been let in. */
  evict(who: Evicted, version: Version, reason: string): readonly Subscriber[] {
    for (const [subscriber, subscription] of this.#joining ?? []) {
      if (isMeant(who, subscriber, subscription)) subscription.evict(reason, version);
    }
    const subscribers: Subscriber[] = [];
    for (const [subscriber, subscription] of this.#subscriptions) {
      if (!isMeant(who, subscriber, subscription) || !subscription.evict(reason, version)) continue;
      this.#subscriptions.delete(subscriber);
      subscribers.push(subscriber);
    }
    return subscribers;
  }

  /** Ends what was let in by a key that does not stand any more; answers whose it was. */
  endInvalid(why: SubscriptionRefusal): readonly Subscriber[] {
    const subscribers: Subscriber[] = [];
    for (const [subscriber, subscription] of this.#subscriptions) {
      if (isValid(subscription.grant, this.app)) continue;
      subscription.end(why);
      this.#subscriptions.delete(subscriber);
      subscribers.push(subscriber);
    }
    return subscribers;
  }

  /** Frames a message once, and sends all whom it concerns the same bytes. */
  deliver(message: ChannelMessage): void {
    if (message.kind === 'count') {
      // Counts may overtake each other on their way here; an older one is no news.
      if (message.version <= this.#countVersion) return;
      this.#countVersion = message.version;
    }
    const frame = this.#frame(message);
    if (message.kind === 'count' || message.version === undefined) {
      this.#sendAll(frame, message.kind === 'event' ? message.except : undefined);
    } else {
      const isEvent = message.kind === 'event';
      this.#sendNews({ frame, version: message.version, isEvent }, isEvent ? message.except : undefined);
    }
  }

  #frame(message: ChannelMessage): Frame {
    switch (message.kind) {
      case 'event':
        return frames.event(message.name, this.channel.name, message.data, message.userId);
      case 'memberAdded':
        return frames.memberAdded(this.channel.name, message.member);
      case 'memberRemoved':
        return frames.memberRemoved(this.channel.name, message.userId);
      case 'count':
        return frames.subscriptionCount(this.channel.name, message.count);
    }
  }

  #sendAll(frame: Frame, except: string | undefined): void {
    let sent = this.#subscriptions.size;
    for (const subscriber of this.#subscriptions.keys()) {
      if (except !== undefined && subscriber.socketId === except) sent -= 1;
      else subscriber.send(frame);
    }
    this.metrics.deliveries += sent;
  }

  #sendNews(news: News, except: string | undefined): void {
    for (const waiting of [this.#subscriptions, this.#joining]) {
      if (!waiting) continue;
      for (const [subscriber, subscription] of waiting) {
        if (except !== undefined && subscriber.socketId === except) continue;
        if (subscription.deliver(subscriber, news)) this.metrics.deliveries += 1;
      }
    }
  }
}

/** A user's subscriptions are those of the member that he is, and those of his signed-in connections. */
function isMeant(who: Evicted, { socketId, userId }: Subscriber, subscription: Subscription): boolean {
  if ('socketId' in who) return socketId === who.socketId;
  return subscription.userId === who.userId || userId === who.userId;
}
