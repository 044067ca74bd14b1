/** Rows of usage as they stand in answers, and in exports. */
import { CLOUD_EVENTS, cloudEvent, type UsageView, usageFields } from '../usage/usage-view.ts';

export const usageFormats = ['json', 'csv', 'ndjson', 'cloudevents'] as const;
export type UsageFormat = (typeof usageFormats)[number];

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
    type: CLOUD_EVENTS,
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
