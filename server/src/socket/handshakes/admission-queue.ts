/** Handshakes in one turn of the event loop. */
const SLICE_SIZE = 50;
/** Handshakes that may wait; beyond it the node is over capacity. */
const MAX_WAITING = 10_000;

/**
 * Admits handshakes a slice at a time, so that thousands of reconnecting clients do not delay the heartbeats and
 * requests of others.
 */
export class AdmissionQueue {
  readonly #waiting: (() => void)[] = [];
  /** Entries of `#waiting` that were admitted already. */
  #done = 0;
  #scheduled = false;

  /** Calls `admit` in its turn. Returns false if too many wait. */
  enter(admit: () => void): boolean {
    if (this.#waiting.length - this.#done >= MAX_WAITING) return false;
    this.#waiting.push(admit);
    if (!this.#scheduled) this.#schedule();
    return true;
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(this.#admitSlice);
  }

  readonly #admitSlice = (): void => {
    const end = Math.min(this.#done + SLICE_SIZE, this.#waiting.length);
    while (this.#done < end) {
      const admit = this.#waiting[this.#done]!;
      this.#done += 1;
      admit();
    }
    if (this.#done < this.#waiting.length) return this.#schedule();
    this.#waiting.length = 0;
    this.#done = 0;
    this.#scheduled = false;
  };
}
