/** Handshakes in one turn of the event loop. */
const SLICE_SIZE = 20;
/** Handshakes of one app that may wait; beyond it the node is over capacity for this app. */
const MAX_WAITING = 10_000;

/**
 * Admits handshakes a slice at a time, so that thousands of reconnecting clients do not delay the heartbeats and requests of
 * others. Apps take turns, so that the clients of one do not wait for those of another either.
 */
export class AdmissionQueue {
  /** By app; whoever has waited longest is first. Those who name no app share a place. */
  readonly #waiting = new Map<object | undefined, Waiting>();
  #isScheduled = false;

  /** Calls `admit` in the turn of its app. Returns false if too many wait. */
  enter(app: object | undefined, admit: () => void): boolean {
    let waiting = this.#waiting.get(app);
    if (!waiting) {
      waiting = { all: [], done: 0 };
      this.#waiting.set(app, waiting);
    }
    if (waiting.all.length - waiting.done >= MAX_WAITING) return false;
    waiting.all.push(admit);
    if (!this.#isScheduled) this.#schedule();
    return true;
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#admitSlice);
  }

  readonly #admitSlice = (): void => {
    for (let left = SLICE_SIZE; left > 0 && this.#waiting.size > 0; left -= 1) this.#admitNext();
    this.#isScheduled = this.#waiting.size > 0;
    if (this.#isScheduled) this.#schedule();
  };

  #admitNext(): void {
    const [next] = this.#waiting;
    if (!next) return;
    const [app, waiting] = next;
    const { all } = waiting;
    const admit = all[waiting.done];
    waiting.done += 1;
    this.#waiting.delete(app);
    if (waiting.done < all.length) this.#waiting.set(app, waiting);
    // In a storm that does not end, those that were admitted would be kept for good.
    if (waiting.done * 2 > all.length) {
      all.splice(0, waiting.done);
      waiting.done = 0;
    }
    admit?.();
  }
}

/** An array from which much is removed at a time, as to shift one costs as much as what remains. */
interface Waiting {
  readonly all: (() => void)[];
  /** Entries that were admitted already. */
  done: number;
}
