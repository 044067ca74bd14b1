import { z } from 'zod';
import { adminRoles } from '../../config/admin.ts';
import { startOf, type Unit, units } from '../../usage/period.ts';
import type { UsageQuery, UsageRow } from '../../usage/usage-store.ts';
import { usageView } from '../../usage/usage-view.ts';
import type { AdminCall, AdminEndpoint } from '../http/endpoint.ts';
import { afterOf, cursorOf, limitOf, pageQuery } from '../http/pages.ts';
import { invalid, Problem } from '../http/problem.ts';
import type { AdminAnswer } from '../http/request.ts';
import { idList, idsOf, listOf, usageAnswer } from '../http/schemas.ts';
import { isoTime, millisecondsOf } from '../http/times.ts';
import { typeOf, type UsageFormat, usageFormats, usageText } from '../usage-formats.ts';

/** Rows of one part of an export. */
const PART_ROWS = 1000;

/** The periods that a request is about. */
export const rangeQuery = {
  from: isoTime
    .optional()
    .describe('The first period, rounded down to the unit. Default the start of this day'),
  to: isoTime.optional().describe('Before this one, rounded down to the unit. Default up to now'),
  unit: z.enum(units).optional().describe('Default day'),
};

const usageQuery = z.strictObject({
  ...pageQuery,
  ...rangeQuery,
  format: z.enum(usageFormats).optional().describe('Default json; the others are not cut into pages'),
});

const readUsage: AdminEndpoint = {
  operationId: 'readUsage',
  summary: 'What the apps have used, by period',
  method: 'GET',
  path: '/usage',
  roles: adminRoles,
  query: usageQuery.extend({
    apps: idList.optional().describe('Ids, with commas between them. Default all'),
  }),
  status: 200,
  answer: listOf('rows', usageAnswer),
  run(call) {
    const { actor, query } = call;
    if (query['apps'] === undefined) return answer(call, actor.apps);
    return answer(
      call,
      idsOf(String(query['apps'])).filter((id) => actor.apps?.includes(id) ?? true),
    );
  },
};

const readAppUsage: AdminEndpoint = {
  operationId: 'readAppUsage',
  summary: 'What an app has used, by period; also one that is deleted',
  method: 'GET',
  path: '/apps/{app_id}/usage',
  roles: adminRoles,
  query: usageQuery,
  status: 200,
  answer: listOf('rows', usageAnswer),
  async run(call) {
    const { registry, actor, parameters, usage } = call;
    const id = parameters['app_id'] ?? '';
    const isVisible = actor.apps === undefined || actor.apps.includes(id);
    const isThere = registry.records.has(id) || registry.ofFile(id) !== undefined;
    const everUsed = async () =>
      (await usage.rows({ unit: 'month', from: 0, to: Number.MAX_SAFE_INTEGER, apps: [id], limit: 1 }))
        .length > 0;
    if (!isVisible || !(isThere || (await everUsed())))
      throw new Problem('app_not_found', `There is no app "${id.slice(0, 64)}"`);
    return answer(call, [id]);
  },
};

export const usageEndpoints: readonly AdminEndpoint[] = [readUsage, readAppUsage];

async function answer(call: AdminCall, apps: readonly string[] | undefined): Promise<AdminAnswer> {
  const { query, usage } = call;
  const now = call.now * 1000;
  const { format = 'json' } = query as { readonly format?: UsageFormat };
  const range = { ...rangeOf(call), apps };
  const { unit } = range;
  const page = async (limit: number, after: UsageQuery['after']) => {
    const rows = await usage.rows({ ...range, after, limit: limit + 1 });
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return { views: shown.map((row) => usageView(row, unit, now)), next: last && keyOf(last) };
  };
  if (format === 'json') {
    const { views, next } = await page(limitOf(query), readKey(afterOf(query)));
    return { status: 200, body: { rows: views, ...(next !== undefined && { cursor: cursorOf(next) }) } };
  }
  for (const name of ['cursor', 'limit'] as const) {
    if (query[name] !== undefined) throw invalid(name, `none with format=${format}, which is sent whole`);
  }
  const { views, next } = await page(PART_ROWS, readKey(call.resume));
  const place = { isFirst: call.resume === undefined, isLast: next === undefined };
  return {
    status: 200,
    headers: { 'Content-Type': typeOf(format) },
    part: { text: usageText(format, views, place), resume: next },
  };
}

/** The periods that a request is about. */
export function rangeOf({ query, now }: AdminCall): Pick<UsageQuery, 'unit' | 'from' | 'to'> {
  const ms = now * 1000;
  const {
    unit = 'day',
    from,
    to,
  } = query as { readonly unit?: Unit; readonly from?: string; readonly to?: string };
  return {
    unit,
    from: startOf(unit, timeOf(from) ?? startOf('day', ms)),
    to: to === undefined ? Number.MAX_SAFE_INTEGER : startOf(unit, timeOf(to) ?? ms),
  };
}

/** Names a row among those of a unit. */
function keyOf({ from, app }: UsageRow): string {
  return `${from}/${app}`;
}

/** @throws Problem if it names none */
function readKey(key: string | undefined): UsageQuery['after'] {
  if (key === undefined) return undefined;
  const [, from = '', app = ''] = /^(\d{1,16})\/(.+)$/.exec(key) ?? [];
  if (app === '') throw invalid('cursor', 'the "cursor" of a page before');
  return { from: Number(from), app };
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : millisecondsOf(text);
}
