import { setImmediate as nextTurn } from 'node:timers/promises';

/** Work in progress, whose end can be waited for. */
export class RunningWork {
  readonly #running = new Set<Promise<unknown>>();
  #onBegin: (() => void) | undefined;

  /** Counts work until it settles, and returns it. */
  track<Result>(work: Promise<Result>): Promise<Result> {
    this.#running.add(work);
    this.#onBegin?.();
    const forget = () => this.#running.delete(work);
    work.then(forget, forget);
    return work;
  }

  /** Resolves when nothing is under way, also of what other work began. Rejects as the work does. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.all(this.#running);
      await nextTurn();
    }
  }

  /** Resolves when new work begins. */
  begun(): Promise<void> {
    return new Promise((resolve) => {
      this.#onBegin = resolve;
    });
  }
}
