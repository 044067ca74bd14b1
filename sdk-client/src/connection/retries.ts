import { type Delays, retryDelay } from './backoff.ts';
import type { Clock } from './clock.ts';

/** Pause in ms after which a proof is asked for again that has the second of a revocation, which it may have followed. */
export const REVOKED_SECOND = 1_000;

export interface RetrySettings {
  readonly clock: Clock;
  readonly reconnect: Pick<Delays, 'minDelay' | 'maxDelay'>;
}

/**
 * Repeats requests after temporary failures: all together, so that channels can share a request, and with one back-off,
 * so that an overloaded endpoint is spared by all of them.
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
   * Calls `ask` once, later.
   *
   * @param pause ms to add, from the endpoint's `Retry-After`
   * @returns the delay in ms
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

  /** Cancels a retry, because it is not needed any more or was answered. */
  delete(ask: () => void, isAnswered?: boolean): void {
    this.#waiting.delete(ask);
    if (this.#waiting.size > 0) return;
    if (isAnswered) this.#tries = 0;
    this.#cancel();
  }
}
