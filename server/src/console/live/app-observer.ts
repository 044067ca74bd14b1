import type { Logger } from 'pino';
import type { App } from '../../apps/app.ts';
import type { AppEvent, AppObserver } from '../../apps/observer.ts';
import type { Hub } from '../../hub/hub.ts';
import type { Diagnosis } from '../diagnosis/diagnosis.ts';
import { Examiner } from '../diagnosis/examiner.ts';
import type { RecentNames } from '../diagnosis/guesses.ts';
import type { AppStats } from '../stats.ts';
import { type EventLine, eventLineOf, unprovenOf } from './event-line.ts';
import type { Feed } from './feed.ts';
import type { LiveSubscriber } from './live-reports.ts';

export interface LiveObserverParts {
  readonly app: App;
  readonly hub: Hub;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
  /** Socket ids of the app, the newest first. */
  readonly socketIds: (app: App, limit: number) => readonly string[];
  readonly figures: (app: App) => AppStats;
  readonly onEnd: () => void;
}

const TICK_MS = 1000;
/** Milliseconds that the live data goes on after the last request of a page. */
const WATCH_MS = 25_000;
/** Milliseconds for which lines are collected before they are sent together. */
const COLLECT_MS = 100;
/** Lines sent together; the pages get the number of those left out. */
const MAX_ENTRIES = 200;
/** Characters of untrusted text in them. */
const MAX_CHARACTERS = 100_000;
/** Recent socket ids and channels, which a backend may have signed by mistake. */
const MAX_RECENT = 200;
const MAX_CHANNELS = 20;
/** Subscribers of one channel in a report. */
const MAX_SUBSCRIBERS = 200;

/** Observes one app on this node while a page of the console shows it, and sends reports to the pages. */
export class LiveObserver implements AppObserver {
  readonly #parts: LiveObserverParts;
  readonly #timer: NodeJS.Timeout;
  #until = 0;
  /** Channels whose events and subscribers are sent, each with the time when that ends. */
  readonly #channels = new Map<string, number>();
  #entries: EventLine[] = [];
  #dropped = 0;
  #flush: NodeJS.Timeout | undefined;
  #characters = 0;
  readonly #examiner: Examiner;
  /** The newest first. */
  #socketIds: string[] = [];
  #recentChannels: string[] = [];

  constructor(parts: LiveObserverParts) {
    this.#parts = parts;
    const { app, socketIds } = parts;
    this.#socketIds = [...socketIds(app, MAX_RECENT)];
    this.#examiner = new Examiner(app, () => this.recentNames);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    app.observer = this;
  }

  /** Goes on for another while. */
  renew(channel: string | undefined): void {
    const until = this.#parts.monotonic() + WATCH_MS;
    this.#until = until;
    if (channel === undefined) return;
    const isNew = !this.#channels.has(channel);
    if (isNew && this.#channels.size >= MAX_CHANNELS) return;
    this.#channels.set(channel, until);
    if (isNew) this.#sendSubscribers(channel);
  }

  observe(event: AppEvent): void {
    if (this.#parts.monotonic() > this.#until) return this.end();
    const time = this.#parts.now();
    this.#remember(event);
    if (event.kind === 'published' && !this.#channels.has(event.channel)) return;
    const unproven = unprovenOf(event);
    if (!unproven || this.#isFull) return this.#add(event, time);
    this.#examiner.examine({ ...unproven, onDone: (diagnosis) => this.#add(event, time, diagnosis) });
  }

  get #isFull(): boolean {
    return this.#entries.length >= MAX_ENTRIES || this.#characters >= MAX_CHARACTERS;
  }

  #add(event: AppEvent, time: number, diagnosis?: Diagnosis): void {
    this.#flush ??= setTimeout(() => this.#sendEntries(), COLLECT_MS).unref();
    if (this.#isFull) {
      this.#dropped += 1;
      return;
    }
    const entry = eventLineOf(event, time, diagnosis);
    for (const text of Object.values(entry)) if (typeof text === 'string') this.#characters += text.length;
    this.#entries.push(entry);
  }

  end(): void {
    const { app, onEnd } = this.#parts;
    clearInterval(this.#timer);
    clearTimeout(this.#flush);
    this.#examiner.close();
    if (app.observer === this) app.observer = undefined;
    onEnd();
  }

  #tick(): void {
    const { app, now, monotonic, feed, figures } = this.#parts;
    const time = now();
    const elapsed = monotonic();
    if (elapsed > this.#until) return this.end();
    feed.endExpired(app, time);
    for (const [channel, until] of this.#channels) {
      if (elapsed > until) this.#channels.delete(channel);
      else this.#sendSubscribers(channel);
    }
    this.#examiner.renew();
    feed.send(app, 'figures', { at: time, ...figures(app) });
  }

  #sendEntries(): void {
    const entries = this.#entries;
    const dropped = this.#dropped;
    this.#flush = undefined;
    this.#entries = [];
    this.#dropped = 0;
    this.#characters = 0;
    this.#parts.feed.send(this.#parts.app, 'entries', { entries, dropped });
  }

  #sendSubscribers(channel: string): void {
    const { app, hub, feed } = this.#parts;
    let total = 0;
    const subscribers: LiveSubscriber[] = [];
    for (const [subscriber, { userId = subscriber.userId }] of hub.subscriptions.of(app, channel)) {
      total += 1;
      if (total > MAX_SUBSCRIBERS) continue;
      const { socketId, since, client, address } = subscriber;
      subscribers.push({ socketId, since, client, address, userId });
    }
    feed.send(app, 'subscribers', { channel, total, subscribers });
  }

  /** Names that the backend of the app has seen lately. */
  get recentNames(): RecentNames {
    return { socketIds: this.#socketIds, channels: this.#recentChannels };
  }

  #remember(event: AppEvent): void {
    if (event.kind === 'connected' || event.kind === 'disconnected')
      this.#socketIds = withFirst(event.who.socketId, this.#socketIds);
    if (event.kind === 'subscribed' || event.kind === 'subscriptionRefused')
      this.#recentChannels = withFirst(event.channel, this.#recentChannels);
  }
}

function withFirst(item: string, list: readonly string[]): string[] {
  return [item, ...list.filter((other) => other !== item)].slice(0, MAX_RECENT);
}
