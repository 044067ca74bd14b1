import { CountersignError } from '../errors.ts';
import type { Clock } from './clock.ts';

/** What limits an attempt. */
export interface AttemptSettings {
  readonly clock: Clock;
  /** Longest duration, in ms. */
  readonly requestTimeout: number;
}

/**
 * One attempt at an asynchronous request. It lasts until its owner ends it or it times out; a later result is dropped.
 */
export class Attempt<Answer> {
  readonly #controller = new AbortController();
  readonly #cancelTimeout: () => void;

  /** @param failed receives the reason for which `ask` rejected, or CountersignError `timeout` */
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
    // In a microtask, so that the owner holds the attempt and can end it before `ask` runs.
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
