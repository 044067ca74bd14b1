/** Bytes that wait for all clients of this process together: each may have much, but not all of them at a time. */
export class OutboundBuffers {
  readonly #maxBytes: number;
  readonly #relieve: () => void;
  #bytes = 0;
  #isScheduled = false;

  /** @param relieve ends those for whom the most waits, until the bound holds again */
  constructor(maxBytes: number, relieve: () => void) {
    this.#maxBytes = maxBytes;
    this.#relieve = relieve;
  }

  get isOver(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  /** More waits for one connection than when it was last looked at, or less. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (!this.isOver || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#relieve();
    });
  }
}
