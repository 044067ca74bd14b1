import type { ChannelLog } from './channel-log.ts';
import {
  ALL_OTHERS,
  type HistoryRow,
  type HistoryStore,
  type Note,
  type NoteKind,
  type Notes,
  type SavedChannel,
} from './durable.ts';

/** Events of one write, so that a queue that has piled up is written in parts. */
const MAX_ROWS = 2000;
/** Milliseconds after which a write that failed is repeated. */
const RETRY_MS = 1000;
/** Channels of an app that wait to be forgotten; beyond it they stay in the store until the next start. */
const MAX_FORGOTTEN = 10_000;
/** Notes that may wait for the store; beyond it the oldest is not stored. */
const MAX_NOTES = 100_000;

interface WaitingNote extends Omit<Note, 'endsAt' | 'body'> {
  /** By the monotonic clock. */
  readonly until: number;
  readonly body: (() => string) | undefined;
}

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
  /** Called each time that a note was not stored, because too many waited. */
  readonly onNotesBound?: (appId: string) => void;
}

/**
 * Writes changed channels and notes to a store, those of one write together. The events that wait are in the channels themselves, so
 * they take no memory of their own, and a channel that drops an event before it is written never writes it.
 */
export class HistoryWriter implements Notes {
  readonly #parts: HistoryWriterParts;
  readonly #clocks: Clocks;
  readonly #floorOf: (appId: string) => number;
  readonly #changed = new Map<ChannelLog, string>();
  readonly #notes = new Map<string, WaitingNote>();
  /** Apps of which nothing may be stored yet. */
  readonly #opened = new Set<string>();
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

  /** Positions of an app are given from now on. */
  opened(appId: string): void {
    if (!this.#parts.isDurable(appId)) return;
    this.#opened.add(appId);
    if (!this.#isFailing) void this.#schedule();
  }

  set(appId: string, kind: NoteKind, id: string, until: number, body: () => string): void {
    this.#note({ appId, kind, id, until, body });
  }

  delete(appId: string, kind: NoteKind, id: string): void {
    this.#note({ appId, kind, id, until: 0, body: undefined });
  }

  #note(note: WaitingNote): void {
    const { appId, kind, id } = note;
    if (!this.#parts.isDurable(appId)) return;
    const key = `${appId} ${kind} ${id}`;
    this.#notes.delete(key);
    this.#notes.set(key, note);
    if (this.#notes.size > MAX_NOTES) {
      this.#notes.delete(this.#notes.keys().next().value ?? '');
      this.#parts.onNotesBound?.(appId);
    }
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
    return this.#parts.isDurable(appId) && !this.#isFailing ? (this.#next ?? this.#writing) : undefined;
  }

  async forgetApp(appId: string): Promise<void> {
    this.#forgotten.delete(appId);
    this.#opened.delete(appId);
    for (const [log, owner] of this.#changed) if (owner === appId) this.#changed.delete(log);
    for (const [key, note] of this.#notes) if (note.appId === appId) this.#notes.delete(key);
    await this.#writing;
    // A start deletes what is stored of an app that does not exist.
    await this.#parts.store.forgetApp(appId).catch(() => {});
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    while (this.#hasWork && (await this.#schedule())) {}
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

  get #hasWork(): boolean {
    return this.#changed.size > 0 || this.#notes.size > 0 || this.#opened.size > 0;
  }

  /** Writes all that waits, in parts; the notes go with the last one, since none may be without its event. */
  async #write(): Promise<boolean> {
    const changed = [...this.#changed];
    const notes = [...this.#notes];
    this.#changed.clear();
    this.#notes.clear();
    try {
      while (changed.length > 0) await this.#writePart(changed, notes);
      if (notes.length > 0 || this.#opened.size > 0) await this.#writePart(changed, notes);
      this.#isFailing = false;
      this.#parts.onWritten();
      if (this.#hasWork) void this.#schedule();
      return true;
    } catch (error) {
      for (const [log, appId] of changed) this.#changed.set(log, appId);
      const newer = [...this.#notes];
      this.#notes.clear();
      for (const [key, note] of [...notes, ...newer]) this.#notes.set(key, note);
      this.#isFailing = true;
      this.#parts.onWritten(error);
      this.#retry = setTimeout(() => void this.#schedule(), RETRY_MS).unref();
      return false;
    }
  }

  /** Writes the first of what has changed, and takes it off the lists. */
  async #writePart(
    changed: (readonly [ChannelLog, string])[],
    notes: [string, WaitingNote][],
  ): Promise<void> {
    const saved: SavedChannel[] = [];
    let rows = 0;
    for (const [log, appId] of changed) {
      if (rows >= MAX_ROWS) break;
      const channel = this.#saved(appId, log);
      rows += channel.rows.length;
      saved.push(channel);
    }
    const isLast = saved.length === changed.length;
    const { length } = saved;
    const taken = isLast ? notes.map(([, note]) => this.#savedNote(note)) : [];
    const opened = [...this.#opened];
    const apps = new Set([...saved.map(({ appId }) => appId), ...opened]);
    for (const appId of apps) saved.push(...this.#floor(appId));
    await this.#parts.store.save(saved, taken);
    for (const appId of opened) this.#opened.delete(appId);
    for (const [index, [log]] of changed.splice(0, length).entries())
      log.stored = Math.max(log.stored, saved[index]!.last);
    if (isLast) notes.length = 0;
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

  #savedNote({ appId, kind, id, until, body }: WaitingNote): Note {
    const { now, monotonic } = this.#clocks;
    return { appId, kind, id, endsAt: Math.ceil(until + now() - monotonic()), body: body?.() };
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
