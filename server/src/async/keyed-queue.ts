/** Runs one step at a time for each key. Steps of different keys run side by side. */
export class KeyedQueue<K> {
  /** The last step of each key that has one; `undefined` while there are none, because many queues are idle most of the time. */
  #last: Map<K, Promise<void>> | undefined;

  /** Whether a step of this key runs or waits. */
  has(key: K): boolean {
    return this.#last?.has(key) ?? false;
  }

  /** The keys that have a step. */
  keys(): Iterable<K> {
    return this.#last?.keys() ?? [];
  }

  /** Runs a step at once, or when the earlier steps of its key have ended, with or without success. */
  run<T>(key: K, step: () => Promise<T>): Promise<T> {
    const before = this.#last?.get(key);
    const running = before ? before.then(step) : step();
    const forget = (): void => {
      if (this.#last?.get(key) !== done) return;
      this.#last.delete(key);
      if (this.#last.size === 0) this.#last = undefined;
    };
    const done = running.then(forget, forget);
    this.#last ??= new Map();
    this.#last.set(key, done);
    return running;
  }
}
