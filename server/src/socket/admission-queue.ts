/** Handshakes done before everything else gets its turn. */
const SLICE_SIZE = 50;
/** Handshakes that may wait; beyond it the node is over capacity. */
const MAX_WAITING = 10_000;

/**
 * Lets handshakes in a slice at a time, so that thousands of clients who come back at once do not keep the
 * heartbeats and requests of the others waiting.
 */
export class AdmissionQueue {
  readonly #waiting: (() => void)[] = [];
  /** How many of those who wait were let in already. */
  #done = 0;
  #scheduled = false;

  /** Lets one in when it is its turn; false if too many wait. */
  enter(admit: () => void): boolean {
    if (this.#waiting.length - this.#done >= MAX_WAITING) return false;
    this.#waiting.push(admit);
    if (!this.#scheduled) this.#schedule();
    return true;
  }

  #schedule(): void {
    this.#scheduled = true;
    setImmediate(this.#letIn);
  }

  readonly #letIn = (): void => {
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
