/** Usage as charts show it. */
import { count } from '../../parts/format.ts';
import { admin } from './admin-api.ts';
import type { UsageField, UsagePeriod, UsageTotal } from './wire.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const kilobytes = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

/** Bytes in the largest unit of which there is at least one. */
function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${kilobytes.format(value / 1000 ** power)} ${units[power]}`;
}

/** What can be shown: its title, and how its numbers are printed. */
export const FIELDS: Readonly<
  Record<UsageField, { readonly title: string; readonly print: (value: number) => string }>
> = {
  messages_delivered: { title: 'Deliveries', print: count },
  messages_published: { title: 'Published messages', print: count },
  client_events: { title: 'Client events', print: count },
  connections_peak: { title: 'Connections, peak', print: count },
  connection_minutes: { title: 'Connection minutes', print: (value) => count(Math.round(value)) },
  presence_members_peak: { title: 'Presence members, peak', print: count },
  bytes_in: { title: 'Bytes in', print: bytes },
  bytes_out: { title: 'Bytes out', print: bytes },
  webhooks_sent: { title: 'Webhooks delivered', print: count },
  webhooks_failed: { title: 'Webhook attempts that failed', print: count },
  refused: { title: 'Refused', print: count },
  history_bytes_peak: { title: 'History bytes, peak', print: bytes },
};

/** What can be shown at one time: how long, and in which periods. */
export const RANGES = {
  hour: { title: 'Hour', ms: HOUR_MS, unit: 'minute', stepMs: MINUTE_MS },
  day: { title: 'Day', ms: DAY_MS, unit: 'hour', stepMs: HOUR_MS },
  week: { title: 'Week', ms: 7 * DAY_MS, unit: 'hour', stepMs: HOUR_MS },
  month: { title: '30 days', ms: 30 * DAY_MS, unit: 'day', stepMs: DAY_MS },
  year: { title: 'Year', ms: 365 * DAY_MS, unit: 'day', stepMs: DAY_MS },
} as const;

export type Range = keyof typeof RANGES;

export interface UsageAnswer {
  /** Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  /** One for each period, those without use too. */
  readonly points: readonly { readonly at: number; readonly value: number }[];
  /** Whether something of an ended period is missing. */
  readonly isIncomplete: boolean;
  readonly isEmpty: boolean;
  /** Those that use most, if it is of all apps. */
  readonly apps: readonly UsageTotal[] | undefined;
}

/** The periods that end with the present one. */
export function spanOf(range: Range, now: number): { readonly from: number; readonly to: number } {
  const { ms, stepMs } = RANGES[range];
  const last = Math.floor(now / stepMs) * stepMs;
  return { from: last - ms + stepMs, to: last };
}

export async function askUsage(
  app: string | undefined,
  range: Range,
  field: UsageField,
): Promise<UsageAnswer> {
  const { unit, stepMs } = RANGES[range];
  const { from, to } = spanOf(range, Date.now());
  const query = { unit, from: new Date(from).toISOString() };
  const { periods, apps } =
    app === undefined
      ? await admin.usageTotals({ ...query, by: field })
      : { periods: (await admin.usage(app, { ...query, limit: '1000' })).rows, apps: undefined };
  const values = new Map(periods.map((period: UsagePeriod) => [Date.parse(period.from), period]));
  const points = Array.from({ length: (to - from) / stepMs + 1 }, (_, index) => {
    const at = from + index * stepMs;
    return { at, value: values.get(at)?.[field] ?? 0 };
  });
  const isIncomplete = [...values].some(([at, { complete }]) => !complete && at + 2 * stepMs < Date.now());
  return { from, to, points, isIncomplete, isEmpty: values.size === 0, apps };
}
