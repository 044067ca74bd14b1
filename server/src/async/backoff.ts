/** How long something that failed waits before it is tried again. */

/** The shortest and the longest pause, in milliseconds, without its chance. */
export interface BackoffRange {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** The pauses of a request to somebody else's server. */
const REQUEST: BackoffRange = { firstMs: 1000, mostMs: 600_000 };

/**
 * Whole milliseconds until the next attempt: they double with each failure, and half of each is chance, so that what failed
 * together does not come back together.
 *
 * @param tries failed attempts so far, at least 1
 * @param chance from 0 to 1
 */
export function backoffMs(tries: number, chance: number, { firstMs, mostMs } = REQUEST): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(tries - 1, 20));
  return Math.round(whole * (0.5 + chance / 2));
}
