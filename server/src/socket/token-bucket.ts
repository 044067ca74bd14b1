/** A rate limit: `capacity` at once, refilled by `perSecond`. */
export class TokenBucket {
  #tokens: number;
  #updatedAt: number;

  /** @param now milliseconds, by a clock that nobody sets */
  constructor(capacity: number, now: number) {
    this.#tokens = capacity;
    this.#updatedAt = now;
  }

  /** Takes one token, if there is one. The limits are given each time, since a reload may change them. */
  take(capacity: number, perSecond: number, now: number): boolean {
    const refill = (Math.max(0, now - this.#updatedAt) * perSecond) / 1000;
    this.#tokens = Math.min(capacity, this.#tokens + refill);
    this.#updatedAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
