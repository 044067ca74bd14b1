/** Rows of usage as they stand in answers, and in exports. */
import { type PeakName, peakNames, type SumName, sumNames } from '../usage/figures.ts';
import { endOf, type Unit } from '../usage/period.ts';
import type { UsageRow } from '../usage/usage-store.ts';
import { isoOf } from './http/times.ts';

export const usageFormats = ['json', 'csv', 'ndjson', 'cloudevents'] as const;
export type UsageFormat = (typeof usageFormats)[number];

/** Milliseconds after a period until its rows are complete: so long what happened in it may be under way. */
const SETTLED_MS = 10_000;
const MS_PER_MINUTE = 60_000;
const DECIMALS = 1e6;

/** The numbers of a row, in the order of its fields. */
export const usageFields = [
  'connections_peak',
  'connection_minutes',
  'messages_published',
  'messages_delivered',
  'bytes_in',
  'bytes_out',
  'client_events',
  'presence_members_peak',
  'webhooks_sent',
  'webhooks_failed',
  'refused',
  'history_bytes_peak',
] as const;

export type UsageView = Readonly<Record<(typeof usageFields)[number], number>> & {
  readonly app: string;
  readonly from: string;
  readonly unit: Unit;
  readonly complete: boolean;
};

/** @param now Unix milliseconds */
export function usageView(
  { app, from, sums, peaks, isIncomplete }: UsageRow,
  unit: Unit,
  now: number,
): UsageView {
  const sum = (name: SumName) => sums[sumNames.indexOf(name)] ?? 0;
  const peak = (name: PeakName) => peaks[peakNames.indexOf(name)] ?? 0;
  return {
    app,
    from: isoOf(from),
    unit,
    connections_peak: peak('connections_peak'),
    connection_minutes: Math.round((sum('connection_ms') / MS_PER_MINUTE) * DECIMALS) / DECIMALS,
    messages_published: sum('messages_published'),
    messages_delivered: sum('messages_delivered'),
    bytes_in: sum('bytes_in'),
    bytes_out: sum('bytes_out'),
    client_events: sum('client_events'),
    presence_members_peak: peak('presence_members_peak'),
    webhooks_sent: sum('webhooks_sent'),
    webhooks_failed: sum('webhooks_failed'),
    refused: sum('refused'),
    history_bytes_peak: peak('history_bytes_peak'),
    complete: !isIncomplete && now >= endOf(unit, from) + SETTLED_MS,
  };
}

/** How an export is written, part by part. */
interface Writer {
  readonly type: string;
  readonly begin: string;
  /** Between two rows, of one part or of two. */
  readonly between: string;
  readonly end: string;
  row(view: UsageView): string;
}

const COLUMNS = ['app', 'from', 'unit', ...usageFields, 'complete'] as const;

const WRITERS: Readonly<Record<Exclude<UsageFormat, 'json'>, Writer>> = {
  // No value holds a comma, a quote or the end of a line: ids of apps cannot.
  csv: {
    type: 'text/csv; charset=utf-8',
    begin: `${COLUMNS.join(',')}\r\n`,
    between: '',
    end: '',
    row: (view) => `${COLUMNS.map((name) => view[name]).join(',')}\r\n`,
  },
  ndjson: {
    type: 'application/x-ndjson',
    begin: '',
    between: '',
    end: '',
    row: (view) => `${JSON.stringify(view)}\n`,
  },
  cloudevents: {
    type: 'application/cloudevents-batch+json',
    begin: '[',
    between: ',',
    end: ']',
    row: (view) => JSON.stringify(cloudEvent(view)),
  },
};

export function typeOf(format: keyof typeof WRITERS): string {
  return WRITERS[format].type;
}

/** The text of some rows of an export. */
export function usageText(
  format: keyof typeof WRITERS,
  rows: readonly UsageView[],
  { isFirst, isLast }: { readonly isFirst: boolean; readonly isLast: boolean },
): string {
  const { begin, between, end, row } = WRITERS[format];
  const before = isFirst ? begin : rows.length > 0 ? between : '';
  return before + rows.map(row).join(between) + (isLast ? end : '');
}

function cloudEvent(view: UsageView): object {
  const { app, unit, from } = view;
  return {
    specversion: '1.0',
    id: `${app}/${unit}/${from}`,
    source: `/apps/${app}`,
    type: `countersign.usage.${unit}`,
    subject: app,
    time: from,
    datacontenttype: 'application/json',
    data: view,
  };
}
