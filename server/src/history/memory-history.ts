import type { HistoryRule } from '../apps/history-rule.ts';
import { AppHistory, type HistoryCounts } from './app-history.ts';
import type { ChannelLog } from './channel-log.ts';
import {
  bytesOf,
  type HistoryEvent,
  type HistoryPage,
  type HistoryQuery,
  type LostCode,
  type Position,
} from './history.ts';
import { Positions } from './positions.ts';

export interface MemoryHistoryOptions {
  /** Bytes that the history of an app may take. */
  readonly boundOf: (appId: string) => number;
  /** Bytes of all apps together. */
  readonly bytes: number;
  /** The numbers of an app that metrics show. */
  readonly countsOf: (appId: string) => HistoryCounts;
  /** Called when an app has reached its bound, or the broker its own. */
  readonly onBound?: (appId: string) => void;
}

/** Milliseconds in which a bound that is reached again and again is reported once. */
const REPORT_MS = 60_000;

interface Clocks {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** The histories of all apps, in this process. */
export class MemoryHistory {
  readonly #options: MemoryHistoryOptions;
  readonly #clocks: Clocks;
  readonly #positions = new Positions();
  readonly #apps = new Map<string, AppHistory>();
  #bytes = 0;

  constructor(options: MemoryHistoryOptions, clocks: Clocks) {
    this.#options = options;
    this.#clocks = clocks;
  }

  /** @param version higher than all before it */
  append(
    appId: string,
    channel: string,
    event: Omit<HistoryEvent, 'position' | 'atMs'>,
    { seconds, messages }: HistoryRule,
  ): Position {
    const app = this.#open(appId);
    const log = app.open(channel, () => this.#positions.tagOf(appId, channel));
    const { name, data, userId, except, version } = event;
    const position = this.#positions.write(log.tag, version);
    const kept = { position, version, name, data, userId, except, atMs: this.#clocks.now() };
    const until = this.#clocks.monotonic() + seconds * 1000;
    this.#count(app.add({ ...kept, log, bytes: bytesOf(kept), until, isDropped: false }));
    while (log.size > messages) this.#count(-app.dropOldestOf(log));
    this.#enforceBounds(appId, app);
    return position;
  }

  read(appId: string, channel: string, query: HistoryQuery): HistoryPage | LostCode {
    const app = this.#apps.get(appId);
    const log = app?.find(channel);
    if (app && log) this.#expire(app, log);
    const version = log?.last ?? app?.currentOf(channel) ?? 0;
    const tag = log?.tag ?? this.#positions.tagOf(appId, channel);
    const position = this.#positions.write(tag, version);
    const from = this.#begin(tag, log, version, query);
    if (typeof from !== 'number') return from;
    const before = this.#positions.write(tag, log?.before ?? version);
    return readPage(log, from, query, { position, version, before });
  }

  /** The position of the newest event. */
  position(appId: string, channel: string): Position {
    const app = this.#apps.get(appId);
    const log = app?.find(channel);
    const tag = log?.tag ?? this.#positions.tagOf(appId, channel);
    return this.#positions.write(tag, log?.last ?? app?.currentOf(channel) ?? 0);
  }

  purge(appId: string, channel: string): void {
    const app = this.#apps.get(appId);
    const log = app?.find(channel);
    if (!app || !log) return;
    while (log.size > 0) this.#count(-app.dropOldestOf(log));
    app.close(log);
  }

  /** Drops all events of an app. */
  forgetApp(appId: string): void {
    const app = this.#apps.get(appId);
    if (!app) return;
    for (const log of [...app.logs()]) this.purge(appId, log.channel);
    this.#apps.delete(appId);
  }

  /** Forgets what has expired. */
  sweep(): void {
    for (const app of this.#apps.values()) for (const log of app.logs()) this.#expire(app, log);
  }

  /** Where a query begins in a log. */
  #begin(
    tag: string,
    log: ChannelLog | undefined,
    current: number,
    { after, last }: HistoryQuery,
  ): number | LostCode {
    const size = log?.size ?? 0;
    if (after === undefined) return last === undefined ? 0 : Math.max(0, size - last);
    const version = this.#positions.read(tag, after);
    if (version === undefined || version > current) return 'position_unknown';
    if (version === current) return size;
    const before = log?.before ?? current;
    if (version === before) return 0;
    if (version < before) return 'position_too_old';
    const index = log?.indexOf(version);
    return index === undefined ? 'position_unknown' : index + 1;
  }

  #open(appId: string): AppHistory {
    let app = this.#apps.get(appId);
    if (!app) {
      app = new AppHistory(this.#options.countsOf(appId));
      this.#apps.set(appId, app);
    }
    return app;
  }

  #expire(app: AppHistory, log: ChannelLog): void {
    const now = this.#clocks.monotonic();
    while (log.oldest && log.oldest.until <= now) this.#count(-app.dropOldestOf(log));
    if (log.size === 0) app.close(log);
  }

  #enforceBounds(appId: string, app: AppHistory): void {
    const bound = this.#options.boundOf(appId);
    while (app.bytes > bound) this.#evict(appId, app);
    while (this.#bytes > this.#options.bytes) this.#evict(...this.#biggest());
  }

  #evict(appId: string, app: AppHistory): void {
    this.#count(-app.evictOldest());
    const now = this.#clocks.monotonic();
    if (now - app.reportedAt < REPORT_MS) return;
    app.reportedAt = now;
    this.#options.onBound?.(appId);
  }

  #biggest(): [string, AppHistory] {
    return [...this.#apps].reduce((biggest, other) => (other[1].bytes > biggest[1].bytes ? other : biggest));
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
  }
}

function readPage(
  log: ChannelLog | undefined,
  from: number,
  { limit, bytes, without, after }: HistoryQuery,
  { before, ...current }: Pick<HistoryPage, 'position' | 'version'> & { readonly before: Position },
): HistoryPage {
  const size = log?.size ?? 0;
  const events: HistoryEvent[] = [];
  let room = bytes;
  const begin = (from > 0 ? log?.at(from - 1)?.position : after) ?? before;
  let next = from > 0 ? begin : after;
  let index = from;
  for (; index < size; index += 1) {
    const { log: _, bytes: taken, until, isDropped, ...event } = log!.at(index)!;
    if (without === undefined || event.except !== without) {
      if (events.length > 0 && (events.length >= limit || taken > room)) break;
      events.push(event);
      room -= taken;
    }
    next = event.position;
  }
  let count = size - from;
  if (without !== undefined) {
    for (let at = from; at < size; at += 1) if (log!.at(at)!.except === without) count -= 1;
  }
  return { events, begin, next: next ?? current.position, isComplete: index === size, count, ...current };
}
