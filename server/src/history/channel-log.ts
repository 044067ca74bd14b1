import type { HistoryEvent } from './history.ts';

/** An event in a log. */
export interface LogEntry extends HistoryEvent {
  readonly log: ChannelLog;
  readonly bytes: number;
  /** When it expires, by the monotonic clock. */
  readonly until: number;
  isDropped: boolean;
}

/** The events of one channel that are kept, oldest first. */
export class ChannelLog {
  /** The version of the position right before the oldest event. */
  before: number;
  /** The version of the newest event that was ever added. */
  last: number;
  /** The version up to which its events are in a store that outlives the process. */
  stored = 0;
  #entries: LogEntry[] = [];
  /** Where the oldest entry is: what is in front of it was dropped. */
  #head = 0;

  /** @param before the version of the position of the empty channel */
  constructor(
    readonly channel: string,
    readonly tag: string,
    before: number,
  ) {
    this.before = before;
    this.last = before;
  }

  get size(): number {
    return this.#entries.length - this.#head;
  }

  get oldest(): LogEntry | undefined {
    return this.#entries[this.#head];
  }

  at(index: number): LogEntry | undefined {
    return this.#entries[this.#head + index];
  }

  add(entry: LogEntry): void {
    this.#entries.push(entry);
    this.last = entry.version;
  }

  /** The events after a version. */
  after(version: number): LogEntry[] {
    let first = this.#entries.length;
    while (first > this.#head && this.#entries[first - 1]!.version > version) first -= 1;
    return this.#entries.slice(first);
  }

  /** Drops the oldest event. */
  dropOldest(): LogEntry | undefined {
    const entry = this.oldest;
    if (!entry) return undefined;
    entry.isDropped = true;
    this.before = entry.version;
    this.#head += 1;
    // Half of the array is free by then, so each entry is moved once on average.
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Where the event of a version is; `undefined` if no event has it. */
  indexOf(version: number): number | undefined {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle)!.version < version) low = middle + 1;
      else high = middle;
    }
    return this.at(low)?.version === version ? low : undefined;
  }
}
