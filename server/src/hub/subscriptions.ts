import type { Logger } from 'pino';
import type { Adapter, Joined, LeaveReason } from '../adapter/adapter.ts';
import { type Topic, topicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import { SubscriptionRefusal, Unavailable } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import type { Admission } from './admission.ts';
import type { CacheMisses } from './cache-misses.ts';
import type { CatchUp } from './catch-up.ts';
import type { Channels } from './channels.ts';
import type { Endings } from './endings.ts';
import { type Grant, isValid, keyRemoved, PUBLIC_GRANT } from './grant.ts';
import type { LocalChannel } from './local-channel.ts';
import type { Subscriber } from './subscriber.ts';
import { Subscription, TooMuchHeld } from './subscription.ts';
import { type CountAnnouncer, tellsCount } from './subscription-counts.ts';

/** Who of this node subscribes to what: how subscriptions begin, and how their subscribers end them. */
export class Subscriptions {
  readonly #adapter: Adapter;
  readonly #channels: Channels;
  readonly #counts: CountAnnouncer;
  readonly #cacheMisses: CacheMisses;
  readonly #catchUp: CatchUp;
  readonly #admission: Admission;
  readonly #endings: Endings;
  readonly #log: Logger;

  constructor(parts: {
    readonly adapter: Adapter;
    readonly channels: Channels;
    readonly counts: CountAnnouncer;
    readonly cacheMisses: CacheMisses;
    readonly catchUp: CatchUp;
    readonly admission: Admission;
    readonly endings: Endings;
    readonly log: Logger;
  }) {
    this.#adapter = parts.adapter;
    this.#channels = parts.channels;
    this.#counts = parts.counts;
    this.#cacheMisses = parts.cacheMisses;
    this.#catchUp = parts.catchUp;
    this.#admission = parts.admission;
    this.#endings = parts.endings;
    this.#log = parts.log;
  }

  /**
   * Subscribes, and sends the subscriber what belongs to it: `subscription_succeeded`, then the kept event or
   * `cache_miss`. To subscribe again changes nothing and sends a new snapshot. While what nodes share is out of reach,
   * public channels let everybody in, and tell the rest when it is back.
   *
   * @throws SubscriptionRefusal if the presence channel is full, or the application keeps the subscriber out
   * @throws Unavailable if what nodes share is out of reach
   */
  async subscribe(app: App, channel: Channel, subscriber: Subscriber, grant = PUBLIC_GRANT): Promise<void> {
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.open(app, channel, topic);
    const present = local.get(subscriber);
    if (present) return this.#refresh(topic, local, subscriber, present, grant);

    const subscription = new Subscription(grant);
    local.addPending(subscriber, subscription);
    try {
      const joined = await this.#enter(topic, local, subscriber, grant);
      if (!isValid(grant, app)) throw keyRemoved();
      // Nothing waits from here on, so that no message comes between the snapshot and what was held back for it.
      const news = subscription.start(joined?.version ?? 0);
      local.activate(subscriber, subscription);
      local.metrics.subscriptions[channel.kind] += 1;
      subscriber.send(frames.subscriptionSucceeded(channel.name, grant.member && joined?.members));
      if (channel.cache && joined) subscriber.send(keptFrame(channel.name, joined));
      for (const frame of news) subscriber.send(frame);
      if (joined) this.#tellJoined(topic, local, joined);
    } catch (error) {
      // Whether the join took effect is not known if the adapter failed; to leave is harmless if it did not.
      await this.#endings.leave(topic, subscriber);
      throw error;
    } finally {
      local.removePending(subscriber);
      this.#channels.closeIfEmpty(topic, local);
    }
  }

  /** Ends a subscription: from here on the subscriber is sent nothing of this channel. */
  async unsubscribe(app: App, channel: Channel, subscriber: Subscriber, reason: LeaveReason): Promise<void> {
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.get(topic);
    if (!local?.remove(subscriber)) return;
    local.metrics.subscriptions[channel.kind] -= 1;
    this.#channels.closeIfEmpty(topic, local);
    const left = await this.#endings.leave(topic, subscriber, reason);
    if (left && tellsCount(app, channel)) this.#counts.changed(topic, left.subscriptions, left.version);
  }

  /** The acknowledged subscription of this subscriber to a channel. */
  get(app: App, channel: string, subscriber: Subscriber): Subscription | undefined {
    return this.#channels.get(topicOf(app.id, channel))?.get(subscriber);
  }

  /** The subscribers of a channel on this node. */
  of(app: App, channel: string): Iterable<readonly [Subscriber, Subscription]> {
    return this.#channels.get(topicOf(app.id, channel))?.all() ?? [];
  }

  /** Takes a seat that the application lets it have. */
  async #enter(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    grant: Grant,
  ): Promise<Joined | undefined> {
    const { app, channel } = local;
    if (channel.kind === 'public') {
      await local.listening.catch(ignoreUnavailable);
      return this.#join(topic, local, subscriber, grant);
    }
    await local.listening;
    await this.#admission.check(app, channel, subscriber, grant);
    const joined = await this.#join(topic, local, subscriber, grant);
    await this.#admission.check(app, channel, subscriber, grant);
    return joined;
  }

  /** Answers nothing if the join is late. */
  async #join(
    topic: Topic,
    { app, channel }: LocalChannel,
    subscriber: Subscriber,
    { member }: Grant,
  ): Promise<Joined | undefined> {
    const maxMembers = app.limits.presenceMembers;
    const mayBeLate = channel.kind === 'public';
    const joined = await this.#adapter.roster.join(topic, subscriber, { member, maxMembers, mayBeLate });
    if (joined === 'full') {
      throw new SubscriptionRefusal('LimitReached', 409, `The channel is full: it has ${maxMembers} members`);
    }
    return joined === 'queued' ? undefined : joined;
  }

  #tellJoined(topic: Topic, local: LocalChannel, { version, subscriptions, last }: Joined): void {
    if (tellsCount(local.app, local.channel)) this.#counts.changed(topic, subscriptions, version);
    if (local.channel.cache && !last) this.#cacheMisses.tell(topic);
    if (version >= local.missedUntil) return;
    this.#catchUp.bringUpToDate(topic, local).catch((error: unknown) => {
      this.#log.warn({ err: error, topic }, 'a subscriber does not know all of a topic');
    });
  }

  async #refresh(
    topic: Topic,
    local: LocalChannel,
    subscriber: Subscriber,
    subscription: Subscription,
    grant: Grant,
  ): Promise<void> {
    subscription.buffer();
    let news: readonly Frame[] = [];
    try {
      let joined = await this.#enter(topic, local, subscriber, grant);
      // Another snapshot may have overtaken it.
      while (joined && subscription.isAhead(joined.version))
        joined = await this.#join(topic, local, subscriber, grant);
      if (!isValid(grant, local.app)) throw keyRemoved();
      news = subscription.resume(joined?.version);
      subscription.renew(grant);
      subscriber.send(frames.subscriptionSucceeded(local.channel.name, grant.member && joined?.members));
    } catch (error) {
      // The subscription stays as it was, unless it was ended meanwhile: then the join has taken its seat again.
      if (error instanceof TooMuchHeld)
        subscriber.renew('Too much happened while the channel was joined again');
      else if (local.get(subscriber) === subscription) news = subscription.resume();
      else await this.#endings.leave(topic, subscriber);
      throw error;
    } finally {
      for (const frame of news) subscriber.send(frame);
    }
  }
}

function keptFrame(channel: string, { last }: Joined): Frame {
  return last ? frames.event(last.name, channel, last.data) : frames.cacheMiss(channel);
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof Unavailable)) throw error;
}
