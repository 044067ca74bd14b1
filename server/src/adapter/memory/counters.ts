import type { Counters } from '../adapter.ts';

/** Numbers that only this process counts. */
export class MemoryCounters implements Counters {
  readonly #now: () => number;
  readonly #windows = new Map<string, { hits: number; readonly resetAt: number }>();
  readonly #held = new Map<string, number>();

  /** @param now the clock, in Unix milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  async hit(key: string, windowMs: number): Promise<{ hits: number; resetAt: number }> {
    const now = this.#now();
    let window = this.#windows.get(key);
    if (!window || window.resetAt <= now) {
      window = { hits: 0, resetAt: now + windowMs };
      this.#windows.set(key, window);
    }
    window.hits += 1;
    return { hits: window.hits, resetAt: window.resetAt };
  }

  async hold(key: string, limit: number): Promise<boolean> {
    const held = this.#held.get(key) ?? 0;
    if (held >= limit) return false;
    this.#held.set(key, held + 1);
    return true;
  }

  async release(key: string): Promise<void> {
    const held = this.#held.get(key) ?? 0;
    if (held > 1) this.#held.set(key, held - 1);
    else this.#held.delete(key);
  }

  /** Forgets the windows that are over. */
  sweep(): void {
    const now = this.#now();
    for (const [key, window] of this.#windows) if (window.resetAt <= now) this.#windows.delete(key);
  }
}
