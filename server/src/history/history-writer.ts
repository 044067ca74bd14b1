import type { ChannelLog } from './channel-log.ts';
import { ALL_OTHERS, type HistoryRow, type HistoryStore, type SavedChannel } from './durable.ts';

/** Events of one write, so that a queue that has piled up is written in parts. */
const MAX_ROWS = 2000;
/** Milliseconds after which a write that failed is repeated. */
const RETRY_MS = 1000;
/** Channels of an app that wait to be forgotten; beyond it they stay in the store until the next start. */
const MAX_FORGOTTEN = 10_000;

interface Clocks {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly monotonic: () => number;
}

export interface HistoryWriterParts {
  readonly store: HistoryStore;
  readonly isDurable: (appId: string) => boolean;
  /** Told of each write. */
  readonly onWritten: (error?: unknown) => void;
}

/**
 * Writes changed channels to a store, those of one write together. What waits is in the channels themselves, so it takes no
 * memory of its own, and a channel that drops an event before it is written never writes it.
 */
export class HistoryWriter {
  readonly #parts: HistoryWriterParts;
  readonly #clocks: Clocks;
  readonly #floorOf: (appId: string) => number;
  readonly #changed = new Map<ChannelLog, string>();
  /** What is to be forgotten, by app. */
  readonly #forgotten = new Map<string, Set<string>>();
  #writing: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isFailing = false;

  /** @param floorOf the highest version of the positions of channels that are forgotten */
  constructor(parts: HistoryWriterParts, clocks: Clocks, floorOf: (appId: string) => number) {
    this.#floorOf = floorOf;
    this.#parts = parts;
    this.#clocks = clocks;
  }

  changed(appId: string, log: ChannelLog): void {
    if (!this.#parts.isDurable(appId)) return;
    this.#changed.set(log, appId);
    if (!this.#isFailing) void this.#schedule();
  }

  /** The position of an empty channel is not remembered any more. */
  forgotten(appId: string, channel: string): void {
    if (!this.#parts.isDurable(appId)) return;
    const channels = this.#forgotten.get(appId) ?? new Set();
    this.#forgotten.set(appId, channels.add(channel));
    if (channels.size > MAX_FORGOTTEN) this.#forgotten.delete(appId);
  }

  /** Resolves when what has changed is stored, or cannot be stored at present; `undefined`: nothing of the app is stored. */
  settled(appId: string): Promise<unknown> | undefined {
    return this.#parts.isDurable(appId) && !this.#isFailing ? this.#next : undefined;
  }

  async forgetApp(appId: string): Promise<void> {
    this.#forgotten.delete(appId);
    for (const [log, owner] of this.#changed) if (owner === appId) this.#changed.delete(log);
    await this.#writing;
    // A start deletes what is stored of an app that does not exist.
    await this.#parts.store.forgetApp(appId).catch(() => {});
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    while (this.#changed.size > 0 && (await this.#schedule())) {}
    clearTimeout(this.#retry);
  }

  /** A write that begins once the one in progress has ended, so that what comes meanwhile is written together. */
  #schedule(): Promise<boolean> {
    this.#next ??= Promise.resolve(this.#writing).then(() => {
      this.#next = undefined;
      this.#writing = this.#write();
      return this.#writing;
    });
    return this.#next;
  }

  async #write(): Promise<boolean> {
    const written: (readonly [ChannelLog, string, SavedChannel])[] = [];
    let rows = 0;
    for (const [log, appId] of this.#changed) {
      if (rows >= MAX_ROWS) break;
      const channel = this.#saved(appId, log);
      rows += channel.rows.length;
      this.#changed.delete(log);
      written.push([log, appId, channel]);
    }
    if (written.length === 0) return true;
    const saved = written.map(([, , each]) => each);
    for (const appId of new Set(saved.map((each) => each.appId))) saved.push(...this.#floor(appId));
    try {
      await this.#parts.store.save(saved);
      for (const [log, , { last }] of written) log.stored = Math.max(log.stored, last);
      this.#isFailing = false;
      this.#parts.onWritten();
      if (this.#changed.size > 0) void this.#schedule();
      return true;
    } catch (error) {
      for (const [log, appId] of written) this.#changed.set(log, appId);
      this.#isFailing = true;
      this.#parts.onWritten(error);
      this.#retry = setTimeout(() => void this.#schedule(), RETRY_MS).unref();
      return false;
    }
  }

  /** What is known of the channels that are not stored. */
  #floor(appId: string): SavedChannel[] {
    const floor = this.#floorOf(appId);
    const state = { appId, before: floor, last: floor, rows: [] };
    const names = [...(this.#forgotten.get(appId) ?? [])];
    this.#forgotten.delete(appId);
    return [
      ...names.map((channel) => ({ ...state, channel, isForgotten: true })),
      { ...state, channel: ALL_OTHERS },
    ];
  }

  #saved(appId: string, log: ChannelLog): SavedChannel {
    const rows: HistoryRow[] = [];
    const { now, monotonic } = this.#clocks;
    const ahead = now() - monotonic();
    for (const entry of log.after(log.stored)) {
      const { version, name, data, userId, except, traceparent, atMs, until } = entry;
      const endsAt = Math.ceil(until + ahead);
      rows.push({ version, name, data, userId, except, traceparent, atMs, endsAt });
    }
    return { appId, channel: log.channel, before: log.before, last: log.last, rows };
  }
}
