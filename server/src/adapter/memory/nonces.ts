import { type NonceOutcome, type Nonces, nonceDigest } from '../nonces.ts';

/** Nonces whose end is in the same minute are forgotten together. */
const PERIOD_MS = 60_000;

/** The nonces that end in one period. */
type Period = Set<string>;

/** The nonces of all apps, in this process. */
export class MemoryNonces implements Nonces {
  readonly #monotonic: () => number;
  /** By app and by the number of the period, of which there are as many as minutes that a nonce is remembered. */
  readonly #apps = new Map<string, Map<number, Period>>();

  /** @param monotonic milliseconds of a monotonic clock */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  async spend(appId: string, nonce: string, keepMs: number, limit: number): Promise<NonceOutcome> {
    const periods = this.#apps.get(appId) ?? new Map<number, Period>();
    this.#forgetEnded(periods);
    const digest = nonceDigest(nonce);
    let count = 0;
    for (const period of periods.values()) {
      if (period.has(digest)) return 'reused';
      count += period.size;
    }
    if (count >= limit) return 'full';
    const end = Math.floor((this.#monotonic() + keepMs) / PERIOD_MS);
    const period = periods.get(end) ?? new Set();
    period.add(digest);
    periods.set(end, period);
    this.#apps.set(appId, periods);
    return 'spent';
  }

  async release(appId: string, nonce: string): Promise<void> {
    const digest = nonceDigest(nonce);
    for (const period of this.#apps.get(appId)?.values() ?? []) period.delete(digest);
  }

  forgetApp(appId: string): void {
    this.#apps.delete(appId);
  }

  /** Forgets what has ended. */
  sweep(): void {
    for (const [appId, periods] of this.#apps) {
      this.#forgetEnded(periods);
      if (periods.size === 0) this.#apps.delete(appId);
    }
  }

  #forgetEnded(periods: Map<number, Period>): void {
    const now = Math.floor(this.#monotonic() / PERIOD_MS);
    for (const end of periods.keys()) if (end < now) periods.delete(end);
  }
}
