/** What the write queues of a process share: the turns of the event loop, and the totals. */

/** Totals of all write queues. */
export interface FlushStatistics {
  flushes: number;
  /** Buffers written: one for each writer and flush. */
  writes: number;
  bytes: number;
  /** Buffers that had to be joined from several frames. */
  joined: number;
  /** Milliseconds spent writing. */
  milliseconds: number;
}

/** Something with writers that have frames to write: a write queue. */
export interface Flushable {
  /**
   * Begins a flush, or goes on with it.
   *
   * @param until as {@link FlushTurnsOptions.now} counts; a few writers more are written
   * @returns how many writers it was done with, and whether the flush is over
   */
  writeSlice(most: number, until: number): { readonly done: number; readonly isOver: boolean };
}

export interface FlushTurnsOptions {
  /**
   * The longest pause after a flush. A long flush is followed by a pause of the same length, in which frames gather
   * and the rest of the process runs. 0: no pause.
   */
  readonly gapMaxMs: number;
  /** Writers in one turn of the event loop. */
  readonly sliceSize?: number;
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Milliseconds of one turn, in which few writers are written if much waits for each. */
const TURN_MS = 5;
/** Shorter flushes are not followed by a pause. */
const SMALL_FLUSH_MS = 1;

/**
 * Divides each turn of the event loop among the queues that have something to write, so that the flush of one app does not
 * wait for that of another. What a queue does not need of its share goes to the others.
 */
export class FlushTurns {
  readonly statistics: FlushStatistics = { flushes: 0, writes: 0, bytes: 0, joined: 0, milliseconds: 0 };
  /** Called after each flush, with its milliseconds and the number of writers. */
  onFlush: ((milliseconds: number, writers: number) => void) | undefined;
  readonly now: () => number;
  readonly #gapMaxMs: number;
  readonly #sliceSize: number;
  /** In the order in which it is their turn. */
  #waiting: Flushable[] = [];
  readonly #paused = new Set<NodeJS.Timeout>();
  #isScheduled = false;

  constructor({ gapMaxMs, sliceSize = 1000, now = () => performance.now() }: FlushTurnsOptions) {
    this.#gapMaxMs = gapMaxMs;
    this.#sliceSize = sliceSize;
    this.now = now;
  }

  /** Takes a queue that has something to write. */
  ask(queue: Flushable, waitMs: number): void {
    if (waitMs < SMALL_FLUSH_MS) return this.#add(queue);
    const timer = setTimeout(() => {
      this.#paused.delete(timer);
      this.#add(queue);
    }, waitMs);
    this.#paused.add(timer);
  }

  /** Counts a flush. @returns for how many milliseconds its queue pauses */
  finished(milliseconds: number, writers: number): number {
    this.statistics.flushes += 1;
    this.statistics.milliseconds += milliseconds;
    this.onFlush?.(milliseconds, writers);
    return milliseconds < SMALL_FLUSH_MS ? 0 : Math.min(milliseconds, this.#gapMaxMs);
  }

  /** Ends all timers. */
  close(): void {
    for (const timer of this.#paused) clearTimeout(timer);
    this.#paused.clear();
  }

  #add(queue: Flushable): void {
    this.#waiting.push(queue);
    if (!this.#isScheduled) setImmediate(this.#turn);
    this.#isScheduled = true;
  }

  readonly #turn = (): void => {
    const queues = this.#waiting;
    // What asks meanwhile waits for the next turn.
    this.#waiting = [];
    let left = this.#sliceSize;
    const start = this.now();
    for (let now = start; left > 0 && now < start + TURN_MS; now = this.now()) {
      const queue = queues.shift();
      if (!queue) break;
      const share = 1 + queues.length;
      const until = now + (start + TURN_MS - now) / share;
      const { done, isOver } = queue.writeSlice(Math.ceil(left / share), until);
      left -= done;
      if (!isOver) queues.push(queue);
    }
    this.#waiting = [...queues, ...this.#waiting];
    this.#isScheduled = this.#waiting.length > 0;
    if (this.#isScheduled) setImmediate(this.#turn);
  };
}
