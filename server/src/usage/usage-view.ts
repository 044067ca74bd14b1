/** Rows of usage as others read them: in answers, in exports, and where they are pushed. */
import { type PeakName, peakNames, type SumName, sumNames } from './figures.ts';
import { endOf, type Unit } from './period.ts';
import type { UsageRow } from './usage-store.ts';

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

/** The content type of a list of {@link cloudEvent}s. */
export const CLOUD_EVENTS = 'application/cloudevents-batch+json';

/** A row as a CloudEvent. The id names the row, so a receiver that gets it twice counts it once. */
export function cloudEvent(view: UsageView): object {
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

/** Whole seconds. */
function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z');
}
