import type { EventMessage, Message, Version } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { Position } from '../history/history.ts';
import type { AppMetrics } from '../metrics.ts';
import type { Channel } from '../protocol/channel.ts';
import { type Frame, frames } from '../protocol/frames.ts';
import { ReplayedFrames } from './replay/replayed-frames.ts';
import { Trail } from './replay/trail.ts';
import type { Subscriber } from './subscriber.ts';
import { frameFor, type News, type Subscription } from './subscriptions/subscription.ts';

/** A message to the subscribers of a channel. */
export type ChannelMessage = Extract<Message, { kind: 'event' | 'memberAdded' | 'memberRemoved' | 'count' }>;

/** The subscribers of one channel on this node. */
export class LocalChannel {
  /** Subscribers with a snapshot older than this version have missed something. */
  missedUntil: Version = 0;
  readonly #subscriptions = new Map<Subscriber, Subscription>();
  /** Subscribers that wait for their first snapshot. They get no messages before it, and the newer ones after it. */
  #pending: Map<Subscriber, Subscription> | undefined;
  /** Subscriptions of this process by user id; only in presence channels. */
  #seats: Map<string, number> | undefined;
  /** Subscribers that know no positions, by socket id; only in channels with a history. */
  #owed: Map<string, Subscriber> | undefined;
  #replayed: ReplayedFrames | undefined;
  #trail: Trail | undefined;
  /** The version of the last count that was sent. */
  #countVersion = 0;

  #listening: Promise<void> | undefined;

  /**
   * @param listening resolves when messages of the channel reach this node
   * @param monotonic milliseconds of a monotonic clock
   */
  constructor(
    readonly app: App,
    readonly channel: Channel,
    listening: Promise<void>,
    readonly metrics: AppMetrics,
    readonly monotonic: () => number,
  ) {
    this.#listening = listening;
    listening.then(
      () => {
        this.#listening = undefined;
      },
      () => {},
    );
  }

  /** Resolves when messages of the channel reach this node; `undefined`: they do. */
  get listening(): Promise<void> | undefined {
    return this.#listening;
  }

  get isEmpty(): boolean {
    return this.#subscriptions.size === 0 && !this.#pending;
  }

  /** The number of distinct users in a presence channel. */
  countMembers(): number {
    return this.#seats?.size ?? 0;
  }

  get(subscriber: Subscriber): Subscription | undefined {
    return this.#subscriptions.get(subscriber);
  }

  /** The subscribers that have their first snapshot. */
  all(): Iterable<readonly [Subscriber, Subscription]> {
    return this.#subscriptions;
  }

  /** Frames of the history of the channel. */
  get replayed(): ReplayedFrames {
    this.#replayed ??= new ReplayedFrames(this.channel.name);
    return this.#replayed;
  }

  /** At which position its history was at which time; `undefined` before its first event. */
  get trail(): Trail | undefined {
    return this.#trail;
  }

  /** Adds a subscriber that waits for its first snapshot. */
  addPending(subscriber: Subscriber, subscription: Subscription): void {
    this.#pending ??= new Map();
    this.#pending.set(subscriber, subscription);
  }

  /** The subscriber has its first snapshot, and gets all messages from now on. */
  activate(subscriber: Subscriber, subscription: Subscription): void {
    this.#subscriptions.set(subscriber, subscription);
    const { userId } = subscription;
    if (userId === undefined) return;
    this.#seats ??= new Map();
    const seats = this.#seats.get(userId) ?? 0;
    if (seats === 0) this.metrics.usage.members += 1;
    this.#seats.set(userId, seats + 1);
  }

  /** Remembers after which position a subscriber that knows no positions is owed everything. */
  owe(subscriber: Subscriber, subscription: Subscription, since: NonNullable<Subscription['owed']>): void {
    subscription.owed = since;
    this.#owed ??= new Map();
    this.#owed.set(subscriber.socketId, subscriber);
  }

  /** The subscriber that has a socket id and knows no positions. */
  owedTo(socketId: string): readonly [Subscriber, Subscription] | undefined {
    const subscriber = this.#owed?.get(socketId);
    const subscription = subscriber && this.#subscriptions.get(subscriber);
    return subscription && [subscriber, subscription];
  }

  /** Ends the wait for a first snapshot, with or without success. */
  removePending(subscriber: Subscriber): void {
    if (this.#pending?.delete(subscriber) && this.#pending.size === 0) this.#pending = undefined;
  }

  remove(subscriber: Subscriber): boolean {
    const subscription = this.#subscriptions.get(subscriber);
    if (!subscription) return false;
    this.#remove(subscriber, subscription);
    return true;
  }

  /** Frames a message once, and sends the same bytes to all subscribers. */
  deliver(message: ChannelMessage): void {
    if (message.kind === 'count') {
      // Counts may arrive out of order; an older one is outdated.
      if (message.version <= this.#countVersion) return;
      this.#countVersion = message.version;
    }
    const frame = this.#frame(message);
    if (message.kind === 'count') this.#sendAll(frame);
    else if (message.kind === 'event') this.#deliverEvent(message, frame);
    else this.#sendNews({ frame, version: message.version, isEvent: false }, undefined);
  }

  #deliverEvent(message: EventMessage, frame: Frame): void {
    const { except, version, position, traceparent } = message;
    if (version !== undefined) {
      if (position !== undefined) this.#note(position);
      return this.#sendNews(new EventNews(this.channel.name, message, version, frame), except);
    }
    const extended =
      traceparent === undefined ? undefined : frames.extended(this.channel.name, message, false);
    this.metrics.usage.delivered += this.#sendAll(frame, except, extended);
  }

  #note(position: Position): void {
    this.#trail ??= new Trail();
    this.#trail.note(position, this.monotonic());
  }

  #remove(subscriber: Subscriber, subscription: Subscription): void {
    this.#subscriptions.delete(subscriber);
    this.#owed?.delete(subscriber.socketId);
    subscription.term?.stop();
    const { userId } = subscription;
    const seats = userId === undefined ? 0 : (this.#seats?.get(userId) ?? 0);
    if (userId === undefined || seats === 0) return;
    if (seats > 1) return void this.#seats?.set(userId, seats - 1);
    this.#seats?.delete(userId);
    this.metrics.usage.members -= 1;
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

  /**
   * Returns how many subscribers get it.
   *
   * @param extended the same for those that understand the extensions, if it has any
   */
  #sendAll(frame: Frame, except?: string, extended?: Frame): number {
    let sent = this.#subscriptions.size;
    for (const subscriber of this.#subscriptions.keys()) {
      if (except !== undefined && subscriber.socketId === except) sent -= 1;
      else subscriber.send(extended !== undefined && subscriber.isCapable ? extended : frame);
    }
    this.metrics.deliveries += sent;
    return sent;
  }

  /** Sends one subscriber what it waited for. */
  sendWaiting(subscriber: Subscriber, news: readonly News[]): void {
    for (const each of news) {
      subscriber.send(frameFor(each, subscriber));
      if (each.isEvent) this.metrics.usage.delivered += 1;
    }
  }

  #sendNews(news: News, except: string | undefined): void {
    let sent = 0;
    for (const waiting of [this.#subscriptions, this.#pending]) {
      if (!waiting) continue;
      for (const [subscriber, subscription] of waiting) {
        if (except !== undefined && subscriber.socketId === except) continue;
        if (subscription.deliver(subscriber, news)) sent += 1;
      }
    }
    this.metrics.deliveries += sent;
    if (news.isEvent) this.metrics.usage.delivered += sent;
  }
}

/** An event with a version. It is framed again with its position and cause as soon as a subscriber understands them. */
class EventNews implements News {
  readonly isEvent = true;
  #extended: Frame | undefined;

  constructor(
    private readonly channel: string,
    private readonly message: EventMessage,
    readonly version: Version,
    readonly frame: Frame,
  ) {}

  get position(): Position | undefined {
    return this.message.position;
  }

  get extended(): Frame | undefined {
    const { position, traceparent } = this.message;
    if (position === undefined && traceparent === undefined) return undefined;
    this.#extended ??= frames.extended(this.channel, this.message, false);
    return this.#extended;
  }
}
