import { type Delays, retryDelay } from './backoff.ts';
import type { Clock } from './clock.ts';

export interface RetrySettings {
  readonly clock: Clock;
  readonly reconnect: Delays;
}

/**
 * What failed for the moment and is asked for again: all of it together, so that channels can share a request, and with
 * one back-off, so that whoever could not answer is left alone by all.
 */
export class Retries {
  readonly #settings: RetrySettings;
  readonly #waiting = new Set<() => void>();
  #tries = 0;
  #delay = 0;
  #pause = 0;
  #cancel = (): void => {};

  constructor(settings: RetrySettings) {
    this.#settings = settings;
  }

  /**
   * Calls `ask` once, later. Answers in how many ms.
   *
   * @param pause ms to add, because whoever was asked wants to be left alone for so long
   */
  add(ask: () => void, pause: number): number {
    const { clock, reconnect } = this.#settings;
    if (this.#waiting.size === 0) {
      this.#delay = retryDelay('retry', this.#tries++, reconnect, clock.random());
      this.#pause = 0;
    }
    this.#waiting.add(ask);
    this.#pause = Math.max(this.#pause, pause);
    const delay = this.#delay + this.#pause;
    this.#cancel();
    this.#cancel = clock.after(delay, () => {
      const due = [...this.#waiting];
      this.#waiting.clear();
      for (const again of due) again();
    });
    return delay;
  }

  /** It is not wanted any more, or was answered. */
  delete(ask: () => void, isAnswered?: boolean): void {
    this.#waiting.delete(ask);
    if (this.#waiting.size > 0) return;
    if (isAnswered) this.#tries = 0;
    this.#cancel();
  }
}
