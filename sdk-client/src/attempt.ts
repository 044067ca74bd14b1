import type { Clock } from './clock.ts';
import { CountersignError } from './errors.ts';

/** What bounds an attempt. */
export interface AttemptSettings {
  readonly clock: Clock;
  /** Most ms until the end. */
  readonly requestTimeout: number;
}

/**
 * One try at something with an answer. It lasts until its maker ends it, or the clock does; what arrives after that
 * belongs to nobody and is dropped.
 */
export class Attempt<Answer> {
  readonly #controller = new AbortController();
  readonly #cancelTimeout: () => void;

  /** @param failed called with what `ask` rejected with, or with CountersignError `timeout` when time is up */
  constructor(
    { clock, requestTimeout }: AttemptSettings,
    ask: (signal: AbortSignal) => Promise<Answer>,
    answered: (answer: Answer) => void,
    failed: (error: CountersignError) => void,
  ) {
    const { signal } = this.#controller;
    this.#cancelTimeout = clock.after(requestTimeout, () => {
      this.end();
      failed(new CountersignError('timeout', 'Timed out', 0, 0));
    });
    // Later, so that what is asked can end the attempt: its maker holds it by then.
    queueMicrotask(() => {
      if (signal.aborted) return;
      ask(signal).then(
        (answer) => signal.aborted || answered(answer),
        (error) => signal.aborted || failed(error),
      );
    });
  }

  end(): void {
    this.#cancelTimeout();
    this.#controller.abort();
  }
}
