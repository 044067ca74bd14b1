/** The periods of usage: minutes, hours, days and months in UTC, by their first millisecond. */
import { units } from '../config/usage.ts';

export { units };

export type Unit = (typeof units)[number];

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Milliseconds for which the rows of a unit are kept after they began; a month as long as its days. */
export const KEPT_MS: Readonly<Record<Unit, number>> = {
  minute: 2 * DAY_MS,
  hour: 90 * DAY_MS,
  day: 400 * DAY_MS,
  month: 431 * DAY_MS,
};

/** The first millisecond of the period that holds a time. */
export function startOf(unit: Unit, at: number): number {
  if (unit === 'minute') return Math.floor(at / MINUTE_MS) * MINUTE_MS;
  if (unit === 'hour') return Math.floor(at / HOUR_MS) * HOUR_MS;
  if (unit === 'day') return Math.floor(at / DAY_MS) * DAY_MS;
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
}

/** The first millisecond after a period. */
export function endOf(unit: Unit, start: number): number {
  if (unit === 'minute') return start + MINUTE_MS;
  if (unit === 'hour') return start + HOUR_MS;
  if (unit === 'day') return start + DAY_MS;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
