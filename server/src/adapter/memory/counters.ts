import type { Counters, Hit } from '../adapter.ts';

/** Counters of this process only. */
export class MemoryCounters implements Counters {
  readonly #monotonic: () => number;
  readonly #windows = new Map<string, { hits: number; readonly endsAt: number }>();
  readonly #held = new Map<string, number>();

  /** @param monotonic milliseconds of a monotonic clock */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  async hit(key: string, windowMs: number, by = 1): Promise<Hit> {
    const now = this.#monotonic();
    let window = this.#windows.get(key);
    if (!window || window.endsAt <= now) {
      window = { hits: 0, endsAt: now + windowMs };
      this.#windows.set(key, window);
    }
    window.hits += by;
    return { hits: window.hits, leftMs: window.endsAt - now };
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

  /** Forgets windows that have ended. */
  sweep(): void {
    const now = this.#monotonic();
    for (const [key, window] of this.#windows) if (window.endsAt <= now) this.#windows.delete(key);
  }
}
