/** Milliseconds between moments at which deadlines are met: those in between are met together, and none too early. */
const STEP_MS = 100;
/** Deadlines that are met in one turn of the event loop. */
const SLICE = 500;
/** The longest delay that a timer takes. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Something that happens at a moment. Inherited instead of held, because there may be one for each subscription. */
export abstract class Deadline {
  /** Monotonic milliseconds. */
  at = 0;
  /** Its place in the heap; -1 outside. */
  place = -1;

  /**
   * Called when the moment has come.
   *
   * @returns the next moment; `undefined` if there is none
   */
  abstract meet(now: number): number | undefined;
}

/** All deadlines of a process: one heap and one timer, whatever their number. */
export class DeadlineQueue {
  readonly #monotonic: () => number;
  /** A binary heap: no deadline is earlier than its parent, at `(place - 1) >> 1`. */
  readonly #heap: Deadline[] = [];
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Infinity;
  #next: NodeJS.Immediate | undefined;

  /** @param monotonic milliseconds of a monotonic clock */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Sets a deadline, or moves it. */
  set(deadline: Deadline, at: number): void {
    const later = deadline.place >= 0 && at > deadline.at;
    deadline.at = at;
    if (deadline.place < 0) {
      deadline.place = this.#heap.length;
      this.#heap.push(deadline);
    }
    if (later) this.#sink(deadline);
    else this.#rise(deadline);
    this.#arm();
  }

  delete(deadline: Deadline): void {
    const { place } = deadline;
    if (place < 0) return;
    deadline.place = -1;
    const last = this.#heap.pop();
    if (!last || last === deadline) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#next);
    this.#timer = undefined;
    this.#next = undefined;
    for (const deadline of this.#heap.splice(0)) deadline.place = -1;
  }

  /** Sets the timer for the first deadline, if it does not fire early enough. */
  #arm(): void {
    const [first] = this.#heap;
    if (!first || this.#next) return;
    const at = Math.ceil(first.at / STEP_MS) * STEP_MS;
    if (at >= this.#firesAt) return;
    clearTimeout(this.#timer);
    this.#firesAt = at;
    const delay = Math.min(Math.max(0, at - this.#monotonic()), MAX_DELAY_MS);
    this.#timer = setTimeout(() => this.#fire(), Math.ceil(delay)).unref();
  }

  #fire(): void {
    this.#timer = undefined;
    this.#firesAt = Infinity;
    this.#next = undefined;
    const now = this.#monotonic();
    for (let met = 0; met < SLICE; met += 1) {
      const [first] = this.#heap;
      if (!first || first.at > now) return this.#arm();
      this.delete(first);
      const next = first.meet(now);
      if (next !== undefined) this.set(first, next);
    }
    clearTimeout(this.#timer);
    this.#firesAt = Infinity;
    this.#next = setImmediate(() => this.#fire());
  }

  #put(deadline: Deadline, place: number): void {
    this.#heap[place] = deadline;
    deadline.place = place;
  }

  #rise(deadline: Deadline): void {
    let { place } = deadline;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above];
      if (!parent || parent.at <= deadline.at) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(deadline, place);
  }

  #sink(deadline: Deadline): void {
    let { place } = deadline;
    for (;;) {
      const left = this.#heap[2 * place + 1];
      const right = this.#heap[2 * place + 2];
      const child = left && right && right.at < left.at ? right : left;
      if (!child || child.at >= deadline.at) break;
      const below = child.place;
      this.#put(child, place);
      place = below;
    }
    this.#put(deadline, place);
  }
}
