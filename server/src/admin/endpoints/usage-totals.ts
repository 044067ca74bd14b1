/** Usage of all apps as one: what a chart of the whole service shows. */
import { z } from 'zod';
import { adminRoles } from '../../config/admin.ts';
import type { UsageQuery, UsageRow } from '../../usage/usage-store.ts';
import { usageFields, usageView } from '../../usage/usage-view.ts';
import type { AdminCall, AdminEndpoint } from '../http/endpoint.ts';
import { invalid } from '../http/problem.ts';
import { usageTotalsAnswer } from '../http/schemas.ts';
import { rangeOf, rangeQuery } from './usage.ts';

/** Rows that are read at a time. */
const PAGE_ROWS = 1000;
/** Rows that are read for one answer. */
const MAX_ROWS = 250_000;
/** Apps that are told. */
const MAX_APPS = 20;

export const sumUsage: AdminEndpoint = {
  operationId: 'sumUsage',
  summary: 'What all apps have used together, by period, and the apps that used most',
  method: 'GET',
  path: '/usage/totals',
  roles: adminRoles,
  query: z.strictObject({
    ...rangeQuery,
    by: z.enum(usageFields).optional().describe('Orders the apps. Default messages_delivered'),
  }),
  status: 200,
  answer: usageTotalsAnswer,
  async run(call) {
    const { unit, ...range } = rangeOf(call);
    const { by = 'messages_delivered' } = call.query as { readonly by?: (typeof usageFields)[number] };
    const periods = new Map<number, UsageRow>();
    const apps = new Map<string, UsageRow>();
    for await (const row of rowsOf(call, { unit, ...range })) {
      // The peaks of apps that are there at one time are added; of the peaks of one app the highest counts.
      periods.set(
        row.from,
        merged(periods.get(row.from), row, (one, other) => one + other),
      );
      apps.set(row.app, merged(apps.get(row.app), row, Math.max));
    }
    const now = call.now * 1000;
    const busiest = [...apps.values()]
      .map((row) => usageView(row, unit, now))
      .sort((one, other) => other[by] - one[by])
      .slice(0, MAX_APPS);
    return {
      status: 200,
      body: {
        periods: [...periods.values()].map((row) => {
          const { app: _app, unit: _unit, ...view } = usageView(row, unit, now);
          return view;
        }),
        apps: busiest.map(({ from: _from, unit: _unit, complete: _complete, ...view }) => view),
      },
    };
  },
};

/** @throws Problem if there are too many */
async function* rowsOf(
  { actor, usage }: AdminCall,
  range: Pick<UsageQuery, 'unit' | 'from' | 'to'>,
): AsyncGenerator<UsageRow> {
  let after: UsageQuery['after'];
  for (let count = 0; count < MAX_ROWS; count += PAGE_ROWS) {
    const rows = await usage.rows({ ...range, apps: actor.apps, after, limit: PAGE_ROWS });
    yield* rows;
    after = rows.at(-1);
    if (rows.length < PAGE_ROWS) return;
  }
  throw invalid('from', `a range of at most ${MAX_ROWS} rows: a later start, or a longer unit`);
}

function merged(
  before: UsageRow | undefined,
  row: UsageRow,
  peakOf: (one: number, other: number) => number,
): UsageRow {
  if (!before) return row;
  return {
    ...before,
    sums: before.sums.map((sum, index) => sum + (row.sums[index] ?? 0)),
    peaks: before.peaks.map((peak, index) => peakOf(peak, row.peaks[index] ?? 0)),
    isIncomplete: before.isIncomplete || row.isIncomplete,
  };
}
