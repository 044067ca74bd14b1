/** How long something that failed waits before it is tried again. */

const FIRST_MS = 1000;
const MOST_MS = 600_000;

/**
 * Whole milliseconds until the next attempt: they double from one second to ten minutes, and half of each is chance, so
 * that what failed together does not come back together.
 *
 * @param tries failed attempts so far, at least 1
 * @param chance from 0 to 1
 */
export function backoffMs(tries: number, chance: number, mostMs: number = MOST_MS): number {
  const whole = Math.min(mostMs, FIRST_MS * 2 ** Math.min(tries - 1, 20));
  return Math.round(whole * (0.5 + chance / 2));
}
