import type { Logger } from 'pino';
import {
  type Adapter,
  type AdapterListener,
  type Command,
  type Counts,
  type Evicted,
  type Joined,
  type LeaveReason,
  type Left,
  type Message,
  type Missed,
  type Seat,
  type Topic,
  topicOf,
} from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { App, AppStore } from '../apps/app.ts';
import { Eviction, SubscriptionRefusal, severityOf, Unavailable } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import { type Frame, frames, type Member } from '../protocol/frames.ts';
import { CacheMisses } from './cache-misses.ts';
import { CatchUp } from './catch-up.ts';
import { type Census, Channels } from './channels.ts';
import { CountAnnouncer, tellsCount } from './counts.ts';
import type { LocalChannel } from './local-channel.ts';
import type { Metrics } from './metrics.ts';
import { Subscription } from './subscription.ts';
import { together } from './together.ts';
import { Users } from './users.ts';
import { Watchlists } from './watchlists.ts';

/** What the hub needs of a connection. */
export interface Subscriber extends Seat {
  /** Who it has signed in as, if it has. */
  readonly userId?: string | undefined;
  /** Queues a frame; what one subscriber is sent, it is sent in this order. */
  send(frame: Frame): void;
  /** The application ended its subscription to a channel. */
  evict(channel: string, reason: string): void;
  /** Closes it, so that it comes back at once and proves anew what it may. */
  renew(reason: string): void;
}

/** An event that somebody asks to publish. */
export interface Publication {
  readonly name: string;
  readonly data: string;
  /** The member who sent it, for a client event in a presence channel. */
  readonly userId?: string | undefined;
  /** The socket id of the one connection that is left out. */
  readonly except?: string | undefined;
  /** The socket id of the client that sent it: cache channels do not keep what clients send. */
  readonly sender?: string | undefined;
}

/** Who listens on this node, and fan-out. */
export class Hub implements AdapterListener {
  readonly users: Users;
  readonly watchlists: Watchlists;
  readonly #channels: Channels;
  readonly #adapter: Adapter;
  readonly #log: Logger;
  readonly #onWatch: (appId: string, channel: string | undefined) => void;
  readonly #counts: CountAnnouncer;
  readonly #cacheMisses: CacheMisses;
  readonly #catchUp: CatchUp;

  constructor(parts: {
    readonly adapter: Adapter;
    readonly apps: AppStore;
    readonly journal: Journal;
    readonly metrics: Metrics;
    readonly log: Logger;
    /** Is told, on every node, that somebody watches an app. */
    readonly onWatch?: (appId: string, channel: string | undefined) => void;
  }) {
    const { adapter, apps, journal, metrics, log, onWatch = ignoreWatch } = parts;
    this.#adapter = adapter;
    this.#log = log;
    this.#onWatch = onWatch;
    this.#channels = new Channels(adapter.bus, metrics, log);
    this.#counts = new CountAnnouncer(adapter, apps, log);
    this.#cacheMisses = new CacheMisses(adapter.counters, journal, log);
    const [channels, counts, cacheMisses] = [this.#channels, this.#counts, this.#cacheMisses];
    this.#catchUp = new CatchUp({ adapter, channels, counts, cacheMisses });
    this.users = new Users(adapter, log);
    this.watchlists = new Watchlists(adapter, log);
    adapter.attach(this, journal);
  }

  /**
   * Subscribes, and sends the subscriber what belongs to it: `subscription_succeeded`, then the kept event or
   * `cache_miss`. To subscribe again changes nothing and sends a new snapshot. While what nodes share is out of reach,
   * public channels let everybody in, and tell the rest when it is back.
   *
   * @throws SubscriptionRefusal if the presence channel is full
   * @throws Unavailable if what nodes share is out of reach
   */
  async subscribe(app: App, channel: Channel, subscriber: Subscriber, member?: Member): Promise<void> {
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.open(app, channel, topic);
    const present = local.get(subscriber);
    if (present) return this.#refresh(topic, local, subscriber, present, member);

    const subscription = new Subscription(member?.userId);
    local.expect(subscriber, subscription);
    try {
      await (channel.kind === 'public' ? local.listening.catch(ignoreUnavailable) : local.listening);
      const joined = await this.#join(topic, local, subscriber, member);
      // Nothing waits from here on, so that no message comes between the snapshot and what was held back for it.
      const news = subscription.settle(joined?.version ?? 0);
      local.admit(subscriber, subscription);
      local.metrics.subscriptions[channel.kind] += 1;
      subscriber.send(frames.subscriptionSucceeded(channel.name, member && joined?.members));
      if (channel.cache && joined) subscriber.send(keptFrame(channel.name, joined));
      for (const frame of news) subscriber.send(frame);
      if (joined) this.#tellJoined(topic, local, joined);
    } catch (error) {
      // Whether the join took effect is not known if the adapter failed; to leave is harmless if it did not.
      await this.#leave(topic, subscriber);
      throw error;
    } finally {
      local.stopExpecting(subscriber);
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
    const left = await this.#leave(topic, subscriber, reason);
    if (left && tellsCount(app, channel)) this.#counts.changed(topic, left.subscriptions, left.version);
  }

  /**
   * Ends subscriptions to a channel because the application says so.
   *
   * @returns how many there were
   */
  async evict(app: App, channel: Channel, who: Evicted, reason: string): Promise<number> {
    const topic = topicOf(app.id, channel.name);
    const evicted = await this.#adapter.roster.evict(topic, who, reason);
    if (evicted > 0 && tellsCount(app, channel)) {
      const { subscriptions, version } = await this.#adapter.roster.counts(topic);
      this.#counts.changed(topic, subscriptions, version);
    }
    return evicted;
  }

  /** The acknowledged subscription of this subscriber to a channel. */
  subscription(app: App, channel: string, subscriber: Subscriber): Subscription | undefined {
    return this.#channels.get(topicOf(app.id, channel))?.get(subscriber);
  }

  /** The subscribers of a channel on this node. */
  subscribers(app: App, channel: string): Iterable<readonly [Subscriber, Subscription]> {
    return this.#channels.get(topicOf(app.id, channel))?.all() ?? [];
  }

  /**
   * Publishes one event to each of the channels, in their order.
   *
   * @throws Unavailable if it was published to none
   * @throws InDoubt if it was published to some of them, or there is no telling
   */
  async publish(app: App, channels: readonly Channel[], publication: Publication): Promise<void> {
    const { name, data, userId, except, sender } = publication;
    const published = channels.map((channel) => {
      app.witness?.saw({ kind: 'published', channel: channel.name, name, data, sender });
      const topic = topicOf(app.id, channel.name);
      const keepSeconds = channel.cache && sender === undefined ? app.cacheSeconds : undefined;
      return this.#adapter.bus.publish(
        { kind: 'event', topic, name, data, userId, except, sender },
        keepSeconds,
      );
    });
    await together(published);
  }

  deliver(message: Message): void {
    switch (message.kind) {
      case 'userOnline':
      case 'userOffline':
        return this.watchlists.changed(message.topic, message.kind === 'userOnline', message.version);
      case 'evicted':
        return this.#evict(message);
      default:
        if (message.kind === 'count') this.#counts.told(message);
        this.#channels.get(message.topic)?.deliver(message);
    }
  }

  obey(command: Command): void {
    switch (command.kind) {
      case 'terminateUser':
        return this.users.expel(command.appId, command.userId, command.reason);
      case 'watch':
        return this.#onWatch(command.appId, command.channel);
    }
  }

  async missed(missed: Missed): Promise<void> {
    if (missed.kind === 'terminations')
      return this.users.renew('The node may have missed the end of a session');
    await Promise.all([this.#catchUp.missed(missed), this.watchlists.missed(missed.topic)]);
  }

  lapsed(topic: Topic, left: Pick<Counts, 'subscriptions' | 'version'>): void {
    this.#counts.lapsed(topic, left);
  }

  /** Counts, by app id, what there is; it takes a look at each channel. */
  census(): ReadonlyMap<string, Census> {
    return this.#channels.census();
  }

  /** Ends what the hub has under way. */
  close(): void {
    this.#counts.close();
  }

  /** Answers nothing if the join is late. */
  async #join(
    topic: Topic,
    { app, channel }: LocalChannel,
    subscriber: Subscriber,
    member?: Member,
  ): Promise<Joined | undefined> {
    const maxMembers = app.limits.presenceMembers;
    const mayBeLate = channel.kind === 'public';
    const joined = await this.#adapter.roster.join(topic, subscriber, { member, maxMembers, mayBeLate });
    if (joined === 'full') {
      throw new SubscriptionRefusal('LimitReached', 409, `The channel is full: it has ${maxMembers} members`);
    }
    return joined === 'late' ? undefined : joined;
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
    member: Member | undefined,
  ): Promise<void> {
    subscription.hold();
    let news: readonly Frame[] = [];
    try {
      const joined = await this.#join(topic, local, subscriber, member);
      news = subscription.resume(joined?.version);
      subscriber.send(frames.subscriptionSucceeded(local.channel.name, member && joined?.members));
    } catch (error) {
      // The subscription stays as it was, unless it was ended meanwhile: then the join has made it anew.
      if (error instanceof Eviction) await this.#leave(topic, subscriber);
      else news = subscription.resume();
      throw error;
    } finally {
      for (const frame of news) subscriber.send(frame);
    }
  }

  #evict({ topic, who, version, reason }: Extract<Message, { kind: 'evicted' }>): void {
    const local = this.#channels.get(topic);
    if (!local) return;
    for (const subscriber of local.evict(who, version, reason)) {
      local.metrics.subscriptions[local.channel.kind] -= 1;
      subscriber.evict(local.channel.name, reason);
      // The seat is gone, unless this node was cut off meanwhile and has taken it again.
      void this.#leave(topic, subscriber, reason);
    }
    this.#channels.closeIfEmpty(topic, local);
  }

  async #leave(topic: Topic, subscriber: Subscriber, reason?: string): Promise<Left | undefined> {
    try {
      return await this.#adapter.roster.leave(topic, subscriber.socketId, reason);
    } catch (error) {
      this.#log[severityOf(error)]({ err: error, topic, socketId: subscriber.socketId }, 'leave failed');
      return undefined;
    }
  }
}

function keptFrame(channel: string, { last }: Joined): Frame {
  return last ? frames.event(last.name, channel, last.data) : frames.cacheMiss(channel);
}

function ignoreUnavailable(error: unknown): void {
  if (!(error instanceof Unavailable)) throw error;
}

function ignoreWatch(): void {}
