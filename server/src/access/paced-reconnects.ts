/** Connections that a node closes in a second, so that they do not all come back at once. */
const PER_SECOND = 200;
const STEP_MS = 50;

/** A connection that should close, so that its client comes back and proves its rights again. */
export interface Reconnecting {
  /** Whether it may stay after all. */
  readonly isCancelled: boolean;
  close(): void;
}

/** Closes connections in their order, no faster than {@link PER_SECOND}. */
export class PacedReconnects {
  /** In order; a set, to take from the front at no cost. */
  readonly #waiting = new Set<Reconnecting>();
  #timer: NodeJS.Timeout | undefined;

  add(connection: Reconnecting): void {
    this.#waiting.add(connection);
    this.#timer ??= setInterval(() => this.#step(), STEP_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#waiting.clear();
  }

  #step(): void {
    let left = (PER_SECOND * STEP_MS) / 1000;
    for (const connection of this.#waiting) {
      if (left === 0) return;
      this.#waiting.delete(connection);
      if (connection.isCancelled) continue;
      connection.close();
      left -= 1;
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
