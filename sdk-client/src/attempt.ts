import type { Clock } from './clock.ts';

/** One try at something with an answer. The caller, the end of the connection or the clock ends it, whichever is first. */
export class Attempt {
  readonly #controller = new AbortController();
  readonly #cancelTimeout: () => void;

  /** @param onTimeout called, already ended, if nothing else ended it within `ms` */
  constructor(clock: Clock, ms: number, onTimeout: () => void) {
    this.#cancelTimeout = clock.after(ms, () => {
      this.end();
      onTimeout();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What arrives after the end belongs to nobody and must be dropped. */
  get ended(): boolean {
    return this.signal.aborted;
  }

  end(): void {
    this.#cancelTimeout();
    this.#controller.abort();
  }
}
