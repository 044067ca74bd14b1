import type { Logger } from 'pino';
import type { Adapter } from '../../adapter/adapter.ts';
import type { Range } from '../../adapter/figure-ranges.ts';
import type { App } from '../../apps/app.ts';
import type { AppEvent, AppObserver } from '../../apps/observer.ts';
import type { Hub } from '../../hub/hub.ts';
import type { OpenConnections } from '../../socket/open-connections.ts';
import type { Diagnosis } from '../diagnosis/diagnosis.ts';
import { Examiner } from '../diagnosis/examiner.ts';
import type { RecentNames } from '../diagnosis/guesses.ts';
import type { AppStats } from '../figures/stats.ts';
import type { PastStep } from '../figures/track.ts';
import { reportConnection } from './connection-report.ts';
import { eventLineOf, unprovenOf } from './event-line.ts';
import type { Feed } from './feed.ts';
import { LineBatch } from './line-batch.ts';
import type { LiveSubscriber } from './live-reports.ts';
import { Receivers } from './receivers.ts';

export interface LiveObserverParts {
  readonly app: App;
  readonly hub: Hub;
  readonly adapter: Adapter;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
  readonly connections: OpenConnections;
  readonly figures: (app: App) => AppStats;
  readonly past: (app: App, range: Range) => readonly PastStep[];
  readonly onEnd: () => void;
}

/** What a page shows closely. */
export interface Watched {
  readonly channel: string | undefined;
  readonly socketId: string | undefined;
  readonly range: Range | undefined;
}

const TICK_MS = 1000;
/** Milliseconds that the live data goes on after the last request of a page. */
const WATCH_MS = 25_000;
/** Milliseconds for which lines are collected before they are sent together. */
const COLLECT_MS = 100;
/** Recent socket ids and channels, which a backend may have signed by mistake. */
const MAX_RECENT = 200;
const MAX_CHANNELS = 20;
/** Connections that pages show at a time. */
const MAX_CONNECTIONS = 20;
/** Subscribers of one channel in a report. */
const MAX_SUBSCRIBERS = 200;

/** Observes one app on this node while a page of the console shows it, and sends reports to the pages. */
export class LiveObserver implements AppObserver {
  readonly #parts: LiveObserverParts;
  readonly #timer: NodeJS.Timeout;
  #until = 0;
  /** Channels whose events and subscribers are sent, each with the time when that ends. */
  readonly #channels = new Map<string, number>();
  /** Ranges whose past is sent at the next tick: once, however many pages ask. */
  readonly #ranges = new Set<Range>();
  /** Connections that are told of, each with the time when that ends. */
  readonly #connections = new Map<string, number>();
  #batch = new LineBatch();
  #flush: NodeJS.Timeout | undefined;
  #isSending = false;
  #hasEnded = false;
  readonly #receivers: Receivers;
  readonly #examiner: Examiner;
  /** The newest first. */
  #socketIds: string[] = [];
  #recentChannels: string[] = [];

  constructor(parts: LiveObserverParts) {
    this.#parts = parts;
    const { app, connections } = parts;
    this.#socketIds = [...connections.socketIds(app, MAX_RECENT)];
    this.#receivers = new Receivers(parts.adapter, app.id);
    this.#examiner = new Examiner(app, () => this.recentNames);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    app.observer = this;
  }

  /** Goes on for another while. */
  renew({ channel, range, socketId }: Watched): void {
    const until = this.#parts.monotonic() + WATCH_MS;
    this.#until = until;
    if (range !== undefined) this.#ranges.add(range);
    if (socketId !== undefined && extend(this.#connections, socketId, until, MAX_CONNECTIONS))
      this.#sendConnection(socketId);
    if (channel !== undefined && extend(this.#channels, channel, until, MAX_CHANNELS))
      this.#sendSubscribers(channel);
  }

  observe(event: AppEvent): void {
    if (this.#parts.monotonic() > this.#until) return this.end();
    const time = this.#parts.now();
    this.#remember(event);
    if (event.kind === 'published') return this.#addPublished(event, time);
    const unproven = unprovenOf(event);
    if (!unproven || !this.#batch.hasRoom('other')) return this.#add(event, time);
    this.#examiner.examine({ ...unproven, onDone: (diagnosis) => this.#add(event, time, diagnosis) });
  }

  #add(event: AppEvent, time: number, diagnosis?: Diagnosis): void {
    this.#schedule();
    if (this.#batch.hasRoom('other')) this.#batch.add('other', eventLineOf(event, time, diagnosis));
    else this.#batch.dropped += 1;
  }

  /** Events of an open channel come first: others are left out before them. */
  #addPublished(event: AppEvent & { readonly kind: 'published' }, time: number): void {
    const sort = this.#channels.has(event.channel) ? 'watched' : 'published';
    this.#schedule();
    if (!this.#batch.hasRoom(sort)) {
      this.#batch.dropped += 1;
      return;
    }
    const receivers = this.#receivers.of(event);
    this.#batch.add(sort, eventLineOf(event, time), receivers);
  }

  #schedule(): void {
    if (!this.#isSending) this.#flush ??= setTimeout(() => void this.#sendLines(), COLLECT_MS).unref();
  }

  end(): void {
    const { app, onEnd } = this.#parts;
    clearInterval(this.#timer);
    clearTimeout(this.#flush);
    this.#hasEnded = true;
    this.#examiner.close();
    if (app.observer === this) app.observer = undefined;
    onEnd();
  }

  #tick(): void {
    const { app, now, monotonic, feed, figures, past } = this.#parts;
    const time = now();
    const elapsed = monotonic();
    if (elapsed > this.#until) return this.end();
    feed.endExpired(app, time);
    for (const [channel, until] of this.#channels) {
      if (elapsed > until) this.#channels.delete(channel);
      else this.#sendSubscribers(channel);
    }
    for (const [socketId, until] of this.#connections) {
      if (elapsed > until) this.#connections.delete(socketId);
      else this.#sendConnection(socketId);
    }
    this.#examiner.renew();
    feed.send(app, 'figures', { at: time, ...figures(app) });
    for (const range of this.#ranges) feed.send(app, 'past', { range, steps: past(app, range) });
    this.#ranges.clear();
  }

  /** One batch after the other: while the counts of one are awaited, the next one fills up to its bounds. */
  async #sendLines(): Promise<void> {
    const batch = this.#batch;
    this.#batch = new LineBatch();
    this.#flush = undefined;
    this.#isSending = true;
    const entries = await batch.lines();
    this.#isSending = false;
    if (this.#hasEnded) return;
    const { dropped } = batch;
    this.#parts.feed.send(this.#parts.app, 'entries', { entries, dropped });
    this.#receivers.forget();
    if (!this.#batch.isEmpty) this.#schedule();
  }

  /** Nothing is sent by nodes that do not have it. */
  #sendConnection(socketId: string): void {
    const { app, hub, feed, connections } = this.#parts;
    const connection = connections.find(app, socketId);
    if (connection) feed.send(app, 'connection', reportConnection(hub, connection));
  }

  #sendSubscribers(channel: string): void {
    const { app, hub, feed } = this.#parts;
    let total = 0;
    const subscribers: LiveSubscriber[] = [];
    for (const [subscriber, { userId = subscriber.userId, position }] of hub.subscriptions.of(app, channel)) {
      total += 1;
      if (total > MAX_SUBSCRIBERS) continue;
      const { socketId, since, client, address, bufferedBytes: unreadBytes } = subscriber;
      subscribers.push({ socketId, since, client, address, userId, position, unreadBytes });
    }
    const newest = hub.subscriptions.channel(app, channel)?.trail?.newest;
    feed.send(app, 'subscribers', { channel, total, newest, subscribers });
  }

  /** Names that the backend of the app has seen lately. */
  get recentNames(): RecentNames {
    return { socketIds: this.#socketIds, channels: this.#recentChannels };
  }

  #remember(event: AppEvent): void {
    if (event.kind !== 'published') this.#receivers.forget();
    if (event.kind === 'connected' || event.kind === 'disconnected')
      this.#socketIds = withFirst(event.who.socketId, this.#socketIds);
    if (event.kind === 'subscribed' || event.kind === 'subscriptionRefused')
      this.#recentChannels = withFirst(event.channel, this.#recentChannels);
  }
}

/** Goes on with something until a time, if there is room. @returns whether it is new */
function extend(kept: Map<string, number>, name: string, until: number, most: number): boolean {
  const isNew = !kept.has(name);
  if (isNew && kept.size >= most) return false;
  kept.set(name, until);
  return isNew;
}

function withFirst(item: string, list: readonly string[]): string[] {
  return [item, ...list.filter((other) => other !== item)].slice(0, MAX_RECENT);
}
