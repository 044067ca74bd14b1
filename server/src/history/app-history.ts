import { ChannelLog, type LogEntry } from './channel-log.ts';

/** Channels of an app whose last position is remembered although they keep no event any more. */
const MAX_EMPTY = 10_000;
/** Entries that were dropped out of turn may wait in the queue until they are as many as the others, and these. */
const MIN_COMPACTED = 1000;

/** The numbers of the history of an app, for metrics. */
export interface HistoryCounts {
  events: number;
  bytes: number;
  /** Events that were dropped before their time because there were too many bytes. */
  evicted: number;
}

/** The history of one app: the logs of its channels, and the order in which their events came. */
export class AppHistory {
  readonly counts: HistoryCounts;
  readonly #logs = new Map<string, ChannelLog>();
  /** The versions of the last positions of channels that are empty now, in the order in which they became empty. */
  readonly #empty = new Map<string, number>();
  /** At least the last version of each channel that is forgotten: the version of the position of an empty channel. */
  #floor: number;
  /** All entries in order, including some that are dropped. */
  #queue: LogEntry[] = [];
  #head = 0;
  #events = 0;
  #bytes = 0;

  /**
   * @param floor at least the version of each position that was given before
   * @param onForgotten called with the name of an empty channel whose position is not remembered any more
   */
  constructor(
    counts: HistoryCounts,
    floor: number,
    private readonly onForgotten: (channel: string) => void,
  ) {
    this.counts = counts;
    this.#floor = floor;
  }

  get floor(): number {
    return this.#floor;
  }

  restoreFloor(floor: number): void {
    this.#floor = floor;
  }

  get bytes(): number {
    return this.#bytes;
  }

  logs(): Iterable<ChannelLog> {
    return this.#logs.values();
  }

  find(channel: string): ChannelLog | undefined {
    return this.#logs.get(channel);
  }

  /** The version of the position of a channel without events. */
  currentOf(channel: string): number {
    return this.#empty.get(channel) ?? this.#floor;
  }

  open(channel: string, tag: () => string): ChannelLog {
    let log = this.#logs.get(channel);
    if (!log) {
      log = new ChannelLog(channel, tag(), this.currentOf(channel));
      this.#empty.delete(channel);
      this.#logs.set(channel, log);
    }
    return log;
  }

  /** The position of a channel without events, as it was stored. */
  restoreEmpty(channel: string, last: number): void {
    this.#empty.set(channel, last);
    this.#boundEmpty();
  }

  /** Forgets the log of a channel without events. */
  close(log: ChannelLog): void {
    this.#logs.delete(log.channel);
    this.#empty.set(log.channel, log.last);
    this.#boundEmpty();
  }

  #boundEmpty(): void {
    if (this.#empty.size <= MAX_EMPTY) return;
    const [oldest = ''] = this.#empty.keys();
    this.#floor = Math.max(this.#floor, this.#empty.get(oldest) ?? 0);
    this.#empty.delete(oldest);
    this.onForgotten(oldest);
  }

  /** Returns the bytes that it takes. */
  add(entry: LogEntry): number {
    entry.log.add(entry);
    this.#queue.push(entry);
    this.#count(1, entry.bytes);
    return entry.bytes;
  }

  /** Returns the bytes that this frees. */
  dropOldestOf(log: ChannelLog): number {
    const bytes = log.dropOldest()?.bytes ?? 0;
    this.#count(-1, -bytes);
    if (this.#queue.length > 2 * this.#events + MIN_COMPACTED) {
      this.#queue = this.#queue.slice(this.#head).filter(({ isDropped }) => !isDropped);
      this.#head = 0;
    }
    return bytes;
  }

  /** Drops the oldest event of all channels. Returns the bytes that this frees. */
  evictOldest(onDropped: (log: ChannelLog) => void): number {
    let oldest = this.#queue[this.#head];
    while (oldest?.isDropped) oldest = this.#queue[++this.#head];
    if (!oldest) return 0;
    this.counts.evicted += 1;
    const { log } = oldest;
    const freed = this.dropOldestOf(log);
    onDropped(log);
    if (log.size === 0) this.close(log);
    return freed;
  }

  #count(events: number, bytes: number): void {
    this.#events += events;
    this.#bytes += bytes;
    this.counts.events = this.#events;
    this.counts.bytes = this.#bytes;
  }
}
