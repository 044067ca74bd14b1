import type { Logger } from 'pino';
import type { App } from '../../apps/app.ts';
import type { AppEvent, AppObserver } from '../../apps/observer.ts';
import type { Hub } from '../../hub/hub.ts';
import type { Diagnosis } from '../diagnosis/diagnosis.ts';
import { Examiner } from '../diagnosis/examiner.ts';
import type { RecentNames } from '../diagnosis/guesses.ts';
import { type EventLine, eventLineOf, unprovenOf } from './event-line.ts';
import type { Feed } from './feed.ts';

export interface LiveObserverParts {
  readonly app: App;
  readonly hub: Hub;
  readonly feed: Feed;
  readonly log: Logger;
  readonly now: () => number;
  /** Socket ids of the app, the newest first. */
  readonly socketIds: (app: App, limit: number) => readonly string[];
  /** The figures of now. */
  readonly figures: (app: App) => object;
  readonly onEnd: () => void;
}

const TICK_MS = 1000;
/** Milliseconds that a watch lasts when its page says nothing more. */
const PATIENCE_MS = 25_000;
/** Milliseconds that entries gather. */
const GATHER_MS = 100;
/** Entries that are told at a time; how many more there were is told too. */
const MAX_ENTRIES = 200;
/** Characters of texts from outside in them. */
const MAX_CHARACTERS = 100_000;
/** Socket ids and channels that a backend may have signed by mistake. */
const MAX_RECENT = 200;
const MAX_CHANNELS = 20;
/** Subscribers of a channel that are told of. */
const MAX_SUBSCRIBERS = 200;

/** Looks at one app on this node for as long as somebody wants to see it, and tells the pages of the console. */
export class LiveObserver implements AppObserver {
  readonly #parts: LiveObserverParts;
  readonly #timer: NodeJS.Timeout;
  #until = 0;
  /** Channels that are watched closely, each until when. */
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
    this.#examiner = new Examiner(app, () => this.surroundings);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    app.observer = this;
  }

  /** Goes on for a while. */
  renew(channel: string | undefined): void {
    const until = performance.now() + PATIENCE_MS;
    this.#until = until;
    if (channel === undefined) return;
    const isNew = !this.#channels.has(channel);
    if (isNew && this.#channels.size >= MAX_CHANNELS) return;
    this.#channels.set(channel, until);
    if (isNew) this.#tellSubscribers(channel);
  }

  observe(sighting: AppEvent): void {
    if (performance.now() > this.#until) return this.end();
    const time = this.#parts.now();
    this.#remember(sighting);
    if (sighting.kind === 'published' && !this.#channels.has(sighting.channel)) return;
    const unproven = unprovenOf(sighting);
    if (!unproven || this.#isFull) return this.#add(sighting, time);
    this.#examiner.examine({ ...unproven, onFound: (found) => this.#add(sighting, time, found) });
  }

  get #isFull(): boolean {
    return this.#entries.length >= MAX_ENTRIES || this.#characters >= MAX_CHARACTERS;
  }

  #add(sighting: AppEvent, time: number, diagnosis?: Diagnosis): void {
    this.#flush ??= setTimeout(() => this.#tellEntries(), GATHER_MS).unref();
    if (this.#isFull) {
      this.#dropped += 1;
      return;
    }
    const entry = eventLineOf(sighting, time, diagnosis);
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
    const { app, now, feed, figures } = this.#parts;
    const time = now();
    const elapsed = performance.now();
    if (elapsed > this.#until) return this.end();
    feed.endExpired(app, time);
    for (const [channel, until] of this.#channels) {
      if (elapsed > until) this.#channels.delete(channel);
      else this.#tellSubscribers(channel);
    }
    this.#examiner.renew();
    feed.tell(app, 'figures', { at: time, ...figures(app) });
  }

  #tellEntries(): void {
    const entries = this.#entries;
    const dropped = this.#dropped;
    this.#flush = undefined;
    this.#entries = [];
    this.#dropped = 0;
    this.#characters = 0;
    this.#parts.feed.tell(this.#parts.app, 'entries', { entries, dropped });
  }

  #tellSubscribers(channel: string): void {
    const { app, hub, feed } = this.#parts;
    let total = 0;
    const subscribers = [];
    for (const [subscriber, { userId = subscriber.userId }] of hub.subscriptions.of(app, channel)) {
      total += 1;
      if (total > MAX_SUBSCRIBERS) continue;
      const { socketId, since, client, address } = subscriber;
      subscribers.push({ socketId, since, client, address, userId });
    }
    feed.tell(app, 'subscribers', { channel, total, subscribers });
  }

  /** What the backend of the app has lately heard of. */
  get surroundings(): RecentNames {
    return { socketIds: this.#socketIds, channels: this.#recentChannels };
  }

  #remember(sighting: AppEvent): void {
    if (sighting.kind === 'connected' || sighting.kind === 'disconnected')
      this.#socketIds = withFirst(sighting.who.socketId, this.#socketIds);
    if (sighting.kind === 'subscribed' || sighting.kind === 'subscriptionRefused')
      this.#recentChannels = withFirst(sighting.channel, this.#recentChannels);
  }
}

function withFirst(item: string, list: readonly string[]): string[] {
  return [item, ...list.filter((other) => other !== item)].slice(0, MAX_RECENT);
}
