import { totalmem } from 'node:os';

/** Counts the bytes that wait for all clients of this process: each client may have many, but not all at once. */
export class OutboundBuffers {
  readonly #maxBytes: number;
  readonly #onExceeded: () => void;
  #bytes = 0;
  #isScheduled = false;

  /**
   * @param maxBytes @default an eighth of the memory
   * @param onExceeded must end the connections with the most bytes, until the bound holds again
   */
  constructor(maxBytes: number | undefined, onExceeded: () => void) {
    this.#maxBytes = maxBytes ?? Math.floor(memoryBytes() / 8);
    this.#onExceeded = onExceeded;
  }

  get isOver(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  /** Adds the bytes that one connection gained since its last count; negative if it has fewer now. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (!this.isOver || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#onExceeded();
    });
  }
}

/** The memory of the container if there is one, else of the machine. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
