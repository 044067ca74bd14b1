import type { HistoryRule } from '../apps/history-rule.ts';
import { AppHistory, type HistoryCounts } from './app-history.ts';
import type { ChannelLog } from './channel-log.ts';
import { ALL_OTHERS, type Notes, type StoredNote } from './durable.ts';
import {
  bytesOf,
  type HistoryEvent,
  type HistoryPage,
  type HistoryQuery,
  type LostCode,
  type Position,
} from './history.ts';
import { HistoryWriter, type HistoryWriterParts } from './history-writer.ts';
import { Positions } from './positions.ts';

export interface MemoryHistoryOptions {
  /** Bytes that the history of an app may take. */
  readonly boundOf: (appId: string) => number;
  /** Bytes of all apps together. */
  readonly bytes: number;
  /** The numbers of an app that metrics show. */
  readonly countsOf: (appId: string) => HistoryCounts;
  /** Called each time that an app has reached its bound, or the broker its own. */
  readonly onBound?: (appId: string) => void;
  /** Where the histories of some apps outlive the process. */
  readonly durable?: HistoryWriterParts | undefined;
}

/** More versions than are given in the time between an event and its write. */
const UNWRITTEN = 1_000_000_000;
/** Versions of a run with a store begin with the microseconds since 1970, so no lower one was ever given. */
const FIRST_STORED = 1e15;

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
  /** Those that are valid after a restart. */
  readonly #storedPositions: Positions | undefined;
  readonly #writer: HistoryWriter | undefined;
  readonly #apps = new Map<string, AppHistory>();
  #bytes = 0;
  /** No version that was given before this run is higher. */
  #start = 0;

  constructor(options: MemoryHistoryOptions, clocks: Clocks) {
    this.#options = options;
    this.#clocks = clocks;
    this.#storedPositions = options.durable && new Positions(options.durable.store.run);
    this.#writer =
      options.durable && new HistoryWriter(options.durable, clocks, (appId) => this.#open(appId).floor);
  }

  /** Where others note what shall outlive the process together with the events; `undefined`: nothing does. */
  get notes(): Notes | undefined {
    return this.#writer;
  }

  /**
   * Reads what is stored.
   *
   * @returns a version that is higher than all that were given for it
   */
  async load(): Promise<number> {
    const { durable } = this.#options;
    if (!durable) return 0;
    const { store, isDurable } = durable;
    const channels = await store.channels();
    const newest = channels.reduce((max, { last }) => Math.max(max, last), 0);
    // Versions that were given after the last write are lower, even if the clock was set back since.
    this.#start = Math.max(newest + UNWRITTEN, this.#clocks.now() * 1000, FIRST_STORED);
    for (const { appId, channel, before, last } of channels) {
      if (!isDurable(appId)) continue;
      const app = this.#open(appId);
      if (channel === ALL_OTHERS) app.restoreFloor(last);
      else if (before === last) app.restoreEmpty(channel, last);
      else {
        const log = app.open(channel, () => this.#tagOf(appId, channel));
        log.before = before;
        log.last = last;
      }
    }
    for (const { appId } of channels) if (!isDurable(appId)) await store.forgetApp(appId);
    const ahead = this.#clocks.now() - this.#clocks.monotonic();
    for (let page = await store.page(0); page.length > 0; page = await store.page(page.at(-1)!.version)) {
      for (const { appId, channel, endsAt, ...event } of page) {
        const app = this.#open(appId);
        const log = app.open(channel, () => this.#tagOf(appId, channel));
        const position = this.#positions.write(log.tag, event.version);
        const kept = { position, ...event };
        const { last } = log;
        this.#count(app.add({ ...kept, log, bytes: bytesOf(kept), until: endsAt - ahead, isDropped: false }));
        log.last = Math.max(last, event.version);
        log.stored = event.version;
      }
    }
    for (const [appId, app] of this.#apps) this.#enforceBounds(appId, app);
    this.sweep();
    return this.#start;
  }

  /** Reads the notes that are stored, and deletes those of apps that do not want any. */
  async *loadNotes(): AsyncGenerator<Omit<StoredNote, 'endsAt'> & { readonly until: number }> {
    const { durable } = this.#options;
    if (!durable) return;
    const { store, isDurable } = durable;
    const ahead = this.#clocks.now() - this.#clocks.monotonic();
    const others = new Set<string>();
    for (let page = await store.notes(0); page.length > 0; page = await store.notes(page.at(-1)!.n)) {
      for (const { endsAt, ...note } of page) {
        if (!isDurable(note.appId)) others.add(note.appId);
        else yield { ...note, until: endsAt - ahead };
      }
    }
    for (const appId of others) await store.forgetApp(appId);
  }

  /** Resolves when the last event of an app is stored, or cannot be stored at present; `undefined`: there is nothing to wait for. */
  stored(appId: string): Promise<unknown> | undefined {
    return this.#writer?.settled(appId);
  }

  /** Stores what is not stored yet. */
  async close(): Promise<void> {
    await this.#writer?.close();
  }

  /** @param version higher than all before it */
  append(
    appId: string,
    channel: string,
    event: Omit<HistoryEvent, 'position' | 'atMs'>,
    { seconds, messages }: HistoryRule,
  ): Position {
    const app = this.#use(appId);
    const log = app.open(channel, () => this.#tagOf(appId, channel));
    const { name, data, userId, except, traceparent, version } = event;
    const position = this.#positions.write(log.tag, version);
    const atMs = this.#clocks.now();
    const kept = { position, version, name, data, userId, except, traceparent, atMs };
    const until = this.#clocks.monotonic() + seconds * 1000;
    this.#count(app.add({ ...kept, log, bytes: bytesOf(kept), until, isDropped: false }));
    while (log.size > messages) this.#count(-app.dropOldestOf(log));
    this.#writer?.changed(appId, log);
    this.#enforceBounds(appId, app);
    return position;
  }

  read(appId: string, channel: string, query: HistoryQuery): HistoryPage | LostCode {
    const app = this.#use(appId);
    const log = app.find(channel);
    if (log) this.#expire(appId, app, log);
    const version = log?.last ?? app.currentOf(channel);
    const tag = log?.tag ?? this.#tagOf(appId, channel);
    const position = this.#positions.write(tag, version);
    const from = this.#begin(tag, log, version, query);
    if (typeof from !== 'number') return from;
    const before = this.#positions.write(tag, log?.before ?? version);
    return readPage(log, from, query, { position, version, before });
  }

  /** The position of the newest event. */
  position(appId: string, channel: string): Position {
    const app = this.#use(appId);
    const log = app.find(channel);
    const tag = log?.tag ?? this.#tagOf(appId, channel);
    return this.#positions.write(tag, log?.last ?? app.currentOf(channel));
  }

  purge(appId: string, channel: string): void {
    const app = this.#apps.get(appId);
    const log = app?.find(channel);
    if (!app || !log) return;
    while (log.size > 0) this.#count(-app.dropOldestOf(log));
    this.#writer?.changed(appId, log);
    app.close(log);
  }

  /** Drops all events of an app. */
  forgetApp(appId: string): void {
    const app = this.#apps.get(appId);
    for (const log of [...(app?.logs() ?? [])]) this.purge(appId, log.channel);
    this.#apps.delete(appId);
    void this.#writer?.forgetApp(appId);
  }

  /** Forgets what has expired. */
  sweep(): void {
    for (const [appId, app] of this.#apps) for (const log of app.logs()) this.#expire(appId, app, log);
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
    if (version === undefined || version > current || version < this.#lowest) return 'position_unknown';
    if (version === current) return size;
    const before = log?.before ?? current;
    if (version === before) return 0;
    if (version < before) return 'position_too_old';
    const index = log?.indexOf(version);
    return index === undefined ? 'position_unknown' : index + 1;
  }

  get #lowest(): number {
    return this.#start === 0 ? 0 : FIRST_STORED;
  }

  #tagOf(appId: string, channel: string): string {
    const isDurable = this.#options.durable?.isDurable(appId) ?? false;
    return ((isDurable && this.#storedPositions) || this.#positions).tagOf(appId, channel);
  }

  /** The history of an app of which positions are given from now on: a channel that stays empty keeps its position after a restart. */
  #use(appId: string): AppHistory {
    const known = this.#apps.get(appId);
    if (known) return known;
    this.#writer?.opened(appId);
    return this.#open(appId);
  }

  #open(appId: string): AppHistory {
    let app = this.#apps.get(appId);
    if (!app) {
      const forget = (channel: string) => this.#writer?.forgotten(appId, channel);
      app = new AppHistory(this.#options.countsOf(appId), this.#start, forget);
      this.#apps.set(appId, app);
    }
    return app;
  }

  #expire(appId: string, app: AppHistory, log: ChannelLog): void {
    const now = this.#clocks.monotonic();
    const { size } = log;
    while (log.oldest && log.oldest.until <= now) this.#count(-app.dropOldestOf(log));
    if (log.size < size) this.#writer?.changed(appId, log);
    if (log.size === 0) app.close(log);
  }

  #enforceBounds(appId: string, app: AppHistory): void {
    const bound = this.#options.boundOf(appId);
    while (app.bytes > bound) this.#evict(appId, app);
    while (this.#bytes > this.#options.bytes) this.#evict(...this.#biggest());
  }

  #evict(appId: string, app: AppHistory): void {
    this.#count(-app.evictOldest((log) => this.#writer?.changed(appId, log)));
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
