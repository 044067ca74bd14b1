import type { Logger } from 'pino';
import type { Access } from '../access/access.ts';
import type {
  Adapter,
  AdapterListener,
  Command,
  Counts,
  EventMessage,
  Keep,
  Message,
  Missed,
  PublishedOnce,
} from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { NodeAnswer, Question } from '../adapter/questions.ts';
import { type Topic, topicOf } from '../adapter/topic.ts';
import type { App, AppStore } from '../apps/app.ts';
import type { Position } from '../history/history.ts';
import type { Once } from '../idempotency/records.ts';
import type { Metrics } from '../metrics.ts';
import type { Channel } from '../protocol/channel.ts';
import type { FlightRecorder } from '../recorder/flight-recorder.ts';
import { CacheMisses } from './cache-misses.ts';
import { type AppCounts, Channels } from './channels.ts';
import { publishAll } from './publish-all.ts';
import { CatchUp } from './replay/catch-up.ts';
import { Endings } from './revocation/endings.ts';
import type { LocalConnection } from './revocation/enforcement.ts';
import { Revoker } from './revocation/revoker.ts';
import { CountAnnouncer } from './subscription-counts.ts';
import { SubscriptionTerms } from './subscriptions/subscription-terms.ts';
import { Subscriptions } from './subscriptions/subscriptions.ts';
import { Users } from './users.ts';
import { Watchlists } from './watchlists.ts';

/** An event to publish. */
export interface Publication {
  readonly name: string;
  readonly data: string;
  /** The member that sent it, for a client event in a presence channel. */
  readonly userId?: string | undefined;
  /** The socket id of a connection that does not receive it. */
  readonly except?: string | undefined;
  /** The socket id of the client that sent it. Cache channels do not keep client events. */
  readonly sender?: string | undefined;
  /** The `traceparent` of what caused it, which clients that understand the extensions get. */
  readonly traceparent?: string | undefined;
}

/** Publishes events, and delivers messages to the subscribers of this node. */
export class Hub implements AdapterListener {
  readonly subscriptions: Subscriptions;
  readonly endings: Endings;
  readonly users: Users;
  readonly watchlists: Watchlists;
  readonly revoker: Revoker;
  readonly #channels: Channels;
  readonly #adapter: Adapter;
  /** Called on every node when somebody watches an app in the console. */
  onWatch: ((command: Command) => void) | undefined;
  readonly #counts: CountAnnouncer;
  readonly #catchUp: CatchUp;

  constructor(parts: {
    readonly adapter: Adapter;
    readonly access: Access;
    readonly apps: AppStore;
    readonly journal: Journal;
    readonly metrics: Metrics;
    readonly recorder: FlightRecorder;
    readonly log: Logger;
    /** The connections of this process. */
    readonly connections: Iterable<LocalConnection>;
  }) {
    const { adapter, access, apps, journal, metrics, log } = parts;
    const channels = new Channels(adapter.bus, metrics, access.monotonic, log);
    const counts = new CountAnnouncer(adapter, apps, log);
    const cacheMisses = new CacheMisses(adapter.counters, journal, log);
    const catchUp = new CatchUp({ adapter, channels, counts, cacheMisses });
    this.#adapter = adapter;
    this.#channels = channels;
    this.#counts = counts;
    this.#catchUp = catchUp;
    this.endings = new Endings({ adapter, journal, channels, counts, access, log });
    const { endings } = this;
    const terms = new SubscriptionTerms(access, endings);
    this.subscriptions = new Subscriptions({
      adapter,
      channels,
      counts,
      cacheMisses,
      catchUp,
      endings,
      access,
      terms,
      metrics,
      log,
    });
    this.users = new Users(adapter, log);
    this.watchlists = new Watchlists(adapter, log);
    this.revoker = new Revoker({ ...parts, channels, endings, users: this.users });
    adapter.attach(this, journal);
  }

  /**
   * Publishes one event to each of the channels, in their order.
   *
   * @returns `undefined` if it is published already
   * @throws Unavailable if it was published to none
   * @throws InDoubt if it was published to some of them, or the outcome is unknown
   */
  publishToAll(
    app: App,
    channels: readonly Channel[],
    publication: Publication,
  ): Promise<unknown> | undefined {
    const [only] = channels;
    if (only && channels.length === 1) return this.publish(app, only, publication);
    return publishAll(this.publishEach(app, channels, publication));
  }

  /**
   * Publishes one event to each of the channels, in their order.
   *
   * @returns what {@link publish} returns for each
   */
  publishEach(
    app: App,
    channels: readonly Channel[],
    publication: Publication,
  ): readonly (Promise<Position | undefined> | undefined)[] {
    return channels.map((channel) => this.publish(app, channel, publication));
  }

  /**
   * Publishes one event to one channel.
   *
   * @returns the position of the event, if the channel has a history; `undefined` if it is published already and has none
   * @throws Unavailable if it was not published
   * @throws InDoubt if the outcome is unknown
   */
  publish(app: App, channel: Channel, publication: Publication): Promise<Position | undefined> | undefined {
    observe(app, channel, publication);
    return this.#adapter.bus.publish(messageOf(app, channel, publication), keepOf(app, channel, publication));
  }

  /**
   * Publishes one event to one channel, unless it was published before.
   *
   * @returns what became of it, without a promise if that is known already
   * @throws Unavailable if it was not published
   * @throws InDoubt if the outcome is unknown
   */
  publishOnce(
    app: App,
    channel: Channel,
    publication: Publication,
    once: Once,
  ): Promise<PublishedOnce> | PublishedOnce {
    const message = messageOf(app, channel, publication);
    const published = this.#adapter.bus.publishOnce(message, once, keepOf(app, channel, publication));
    const observeNew = (outcome: PublishedOnce): PublishedOnce => {
      if (outcome.isNew) observe(app, channel, publication);
      return outcome;
    };
    return published instanceof Promise ? published.then(observeNew) : observeNew(published);
  }

  deliver(message: Message): void {
    switch (message.kind) {
      case 'userOnline':
      case 'userOffline':
        return this.watchlists.changed(message.topic, message.kind === 'userOnline', message.version);
      default:
        if (message.kind === 'count') this.#counts.announced(message);
        this.#channels.get(message.topic)?.deliver(message);
    }
  }

  obey(command: Command): void {
    this.onWatch?.(command);
  }

  answer(question: Question): Promise<NodeAnswer> {
    return question.kind === 'reached'
      ? this.subscriptions.previous.answer(question)
      : this.revoker.answer(question);
  }

  proveAgain(): void {
    this.revoker.proveAgain();
  }

  async missed(missed: Missed): Promise<void> {
    if (missed.kind === 'revocations') return this.revoker.load();
    await Promise.all([this.#catchUp.missed(missed), this.watchlists.missed(missed.topic)]);
  }

  lapsed(topic: Topic, left: Pick<Counts, 'subscriptions' | 'version'>): void {
    this.#counts.lapsed(topic, left);
  }

  /** Counts by app id. Iterates over all channels. */
  census(): ReadonlyMap<string, AppCounts> {
    return this.#channels.census();
  }

  /** Ends all timers. */
  close(): void {
    this.#counts.close();
    this.revoker.close();
  }
}

function messageOf(
  app: App,
  channel: Channel,
  { name, data, userId, except, sender, traceparent }: Publication,
): EventMessage {
  const topic = topicOf(app.id, channel.name);
  return { kind: 'event', topic, name, data, userId, except, sender, traceparent };
}

/** Where an event is kept, if anywhere. */
function keepOf(app: App, channel: Channel, { sender }: Publication): Keep | undefined {
  const lastSeconds = channel.cache && sender === undefined ? app.cacheSeconds : undefined;
  const history = app.historyOf(channel.name);
  return lastSeconds === undefined && history === undefined ? undefined : { lastSeconds, history };
}

function observe(app: App, { name: channel }: Channel, publication: Publication): void {
  const { name, data, sender, except } = publication;
  app.observer?.observe({ kind: 'published', channel, name, data, sender, except });
}
