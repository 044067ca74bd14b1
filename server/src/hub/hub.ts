import type { Logger } from 'pino';
import {
  type Adapter,
  appOfTopic,
  type BusListener,
  type Command,
  type Evicted,
  type Joined,
  type LeaveReason,
  type Left,
  type Message,
  type Seat,
  type Topic,
  topicOf,
} from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { App } from '../apps/app.ts';
import { Eviction, SubscriptionRefusal } from '../errors.ts';
import type { Channel, ChannelKind } from '../protocol/channel.ts';
import { type Frame, frames, type Member } from '../protocol/frames.ts';
import { CountAnnouncer, tellsCount } from './counts.ts';
import { LocalChannel } from './local-channel.ts';
import { type Metrics, zeroOfEachKind } from './metrics.ts';
import { Subscription } from './subscription.ts';
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

/** A cache miss is told to the backend once in so many milliseconds, however many subscribe. */
const CACHE_MISS_MS = 5000;

/** What an app has on this node. */
export interface Census {
  /** Channels that have a subscriber. */
  readonly channels: Record<ChannelKind, number>;
  /** Users in presence channels, one for each channel. */
  members: number;
}

/** Who listens on this node, and fan-out. */
export class Hub implements BusListener {
  readonly users: Users;
  readonly watchlists: Watchlists;
  readonly #channels = new Map<Topic, LocalChannel>();
  readonly #adapter: Adapter;
  readonly #journal: Journal;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #onWatch: (appId: string, channel: string | undefined) => void;
  readonly #counts: CountAnnouncer;

  constructor(parts: {
    readonly adapter: Adapter;
    readonly journal: Journal;
    readonly metrics: Metrics;
    readonly log: Logger;
    /** Is told, on every node, that somebody watches an app. */
    readonly onWatch?: (appId: string, channel: string | undefined) => void;
  }) {
    this.#adapter = parts.adapter;
    this.#journal = parts.journal;
    this.#metrics = parts.metrics;
    this.#log = parts.log;
    this.#onWatch = parts.onWatch ?? ignoreWatch;
    this.#counts = new CountAnnouncer(parts.adapter, parts.log);
    this.users = new Users(parts.adapter, parts.log);
    this.watchlists = new Watchlists(parts.adapter, parts.log);
    parts.adapter.attach(this, parts.journal);
  }

  /**
   * Subscribes, and sends the subscriber what belongs to it: `subscription_succeeded`, then the kept event or
   * `cache_miss`. To subscribe again changes nothing and sends a new snapshot.
   *
   * @throws SubscriptionRefusal if the presence channel is full
   */
  async subscribe(app: App, channel: Channel, subscriber: Subscriber, member?: Member): Promise<void> {
    const topic = topicOf(app.id, channel.name);
    const local = this.#open(app, channel, topic);
    const present = local.get(subscriber);
    if (present) return this.#refresh(app, topic, channel, subscriber, present, member);

    const subscription = new Subscription(member?.userId);
    local.expect(subscriber, subscription);
    try {
      await local.listening;
      const joined = await this.#join(app, topic, subscriber, member);
      // Nothing waits from here on, so that no message comes between the snapshot and what was held back for it.
      const news = subscription.settle(joined.version);
      local.admit(subscriber, subscription);
      local.metrics.subscriptions[channel.kind] += 1;
      subscriber.send(frames.subscriptionSucceeded(channel.name, joined.members));
      if (channel.cache) subscriber.send(keptFrame(channel.name, joined));
      for (const frame of news) subscriber.send(frame);
      if (tellsCount(app, channel)) this.#counts.changed(topic, joined.subscriptions, joined.version);
      if (channel.cache && !joined.last) this.#tellMiss(topic);
    } catch (error) {
      // Whether the join took effect is not known if the adapter failed; to leave is harmless if it did not.
      await this.#leave(topic, subscriber);
      throw error;
    } finally {
      local.stopExpecting(subscriber);
      this.#closeIfEmpty(topic, local);
    }
  }

  /** Ends a subscription: from here on the subscriber is sent nothing of this channel. */
  async unsubscribe(app: App, channel: Channel, subscriber: Subscriber, reason: LeaveReason): Promise<void> {
    const topic = topicOf(app.id, channel.name);
    const local = this.#channels.get(topic);
    if (!local?.remove(subscriber)) return;
    local.metrics.subscriptions[channel.kind] -= 1;
    this.#closeIfEmpty(topic, local);
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

  /** Publishes one event to each of the channels, in their order. */
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
    await Promise.all(published);
  }

  deliver(message: Message): void {
    switch (message.kind) {
      case 'userOnline':
      case 'userOffline':
        return this.watchlists.changed(message.topic, message.kind === 'userOnline', message.version);
      case 'evicted':
        return this.#evict(message.topic, message.socketIds, message.reason);
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

  /** Counts, by app id, what there is; it takes a look at each channel. */
  census(): ReadonlyMap<string, Census> {
    const apps = new Map<string, Census>();
    for (const [topic, local] of this.#channels) {
      const appId = appOfTopic(topic);
      let app = apps.get(appId);
      if (!app) {
        app = { channels: zeroOfEachKind(), members: 0 };
        apps.set(appId, app);
      }
      app.channels[local.kind] += 1;
      if (local.kind === 'presence') app.members += local.countMembers();
    }
    return apps;
  }

  /** Ends what the hub has under way. */
  close(): void {
    this.#counts.close();
  }

  async #join(app: App, topic: Topic, subscriber: Subscriber, member?: Member): Promise<Joined> {
    const maxMembers = app.limits.presenceMembers;
    const joined = await this.#adapter.roster.join(topic, subscriber, { member, maxMembers });
    if (joined === 'full') {
      throw new SubscriptionRefusal('LimitReached', 409, `The channel is full: it has ${maxMembers} members`);
    }
    return joined;
  }

  async #refresh(
    app: App,
    topic: Topic,
    channel: Channel,
    subscriber: Subscriber,
    subscription: Subscription,
    member: Member | undefined,
  ): Promise<void> {
    subscription.hold();
    let news: readonly Frame[] = [];
    try {
      const joined = await this.#join(app, topic, subscriber, member);
      news = subscription.resume(joined.version);
      subscriber.send(frames.subscriptionSucceeded(channel.name, joined.members));
    } catch (error) {
      // The subscription stays as it was, unless it was ended meanwhile: then the join has made it anew.
      if (error instanceof Eviction) await this.#leave(topic, subscriber);
      else news = subscription.resume();
      throw error;
    } finally {
      for (const frame of news) subscriber.send(frame);
    }
  }

  #evict(topic: Topic, socketIds: readonly string[], reason: string): void {
    const local = this.#channels.get(topic);
    if (!local) return;
    for (const subscriber of local.evict(socketIds, reason)) {
      local.metrics.subscriptions[local.kind] -= 1;
      subscriber.evict(local.name, reason);
    }
    this.#closeIfEmpty(topic, local);
  }

  #tellMiss(topic: Topic): void {
    const tell = async (): Promise<void> => {
      const { hits } = await this.#adapter.counters.hit(`cache_miss:${topic}`, CACHE_MISS_MS);
      if (hits === 1) await this.#journal.record([{ kind: 'cacheMiss', topic }]);
    };
    tell().catch((error: unknown) => this.#log.error({ err: error, topic }, 'cache miss not told'));
  }

  async #leave(topic: Topic, subscriber: Subscriber, reason?: LeaveReason): Promise<Left | undefined> {
    try {
      return await this.#adapter.roster.leave(topic, subscriber.socketId, reason);
    } catch (error) {
      this.#log.error({ err: error, topic, socketId: subscriber.socketId }, 'leave failed');
      return undefined;
    }
  }

  #open(app: App, channel: Channel, topic: Topic): LocalChannel {
    let local = this.#channels.get(topic);
    if (!local) {
      local = new LocalChannel(channel, this.#adapter.bus.listen(topic), this.#metrics.app(app.id));
      this.#channels.set(topic, local);
      local.metrics.channels += 1;
    }
    return local;
  }

  #closeIfEmpty(topic: Topic, local: LocalChannel): void {
    if (!local.isEmpty) return;
    this.#channels.delete(topic);
    local.metrics.channels -= 1;
    this.#adapter.bus.ignore(topic).catch((error: unknown) => {
      this.#log.error({ err: error, topic }, 'ignore failed');
    });
  }
}

function keptFrame(channel: string, { last }: Joined): Frame {
  return last ? frames.event(last.name, channel, last.data) : frames.cacheMiss(channel);
}

function ignoreWatch(): void {}
