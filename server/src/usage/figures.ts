/** What is counted of an app, as plain numbers in a fixed order: sums that grow, and peaks of what there is at a moment. */
import type { AppMetrics } from '../metrics.ts';

export const sumNames = [
  'connection_ms',
  'messages_published',
  'messages_delivered',
  'bytes_in',
  'bytes_out',
  'client_events',
  'webhooks_sent',
  'webhooks_failed',
  'refused',
] as const;

export const peakNames = ['connections_peak', 'presence_members_peak', 'history_bytes_peak'] as const;

export type SumName = (typeof sumNames)[number];
export type PeakName = (typeof peakNames)[number];

/** In the order of {@link sumNames}. */
export type Sums = readonly number[];
/** In the order of {@link peakNames}. */
export type Peaks = readonly number[];

export const NO_SUMS: Sums = sumNames.map(() => 0);
export const NO_PEAKS: Peaks = peakNames.map(() => 0);

/** What one process counts of an app: sums since the process started, and what it has now. */
export interface Figures {
  readonly app: string;
  readonly sums: Sums;
  readonly connections: number;
  readonly members: number;
  readonly historyBytes: number;
}

/** @param monotonic whole milliseconds of the clock by which connections are timed */
export function figuresOf(app: string, counts: AppMetrics, monotonic: number): Figures {
  const { usage, connections, clientEvents, bytesIn, webhookAttempts, history } = counts;
  const sent = webhookAttempts.get('delivered') ?? 0;
  let attempts = 0;
  for (const count of webhookAttempts.values()) attempts += count;
  return {
    app,
    sums: [
      usage.endedMs + connections * monotonic - usage.openedAt,
      usage.published,
      usage.delivered,
      bytesIn + usage.publishedBytes,
      usage.payloadOut,
      clientEvents,
      sent,
      attempts - sent,
      usage.refused,
    ],
    connections,
    members: usage.members,
    historyBytes: history.bytes,
  };
}

/** What of these sums counts towards quotas. */
export function quotaSums(sums: Sums): { readonly messages: number; readonly connectionMs: number } {
  const [connectionMs = 0, published = 0, , , , clientEvents = 0] = sums;
  return { messages: published + clientEvents, connectionMs };
}

export function addSums(one: Sums, other: Sums): Sums {
  return one.map((sum, index) => sum + (other[index] ?? 0));
}

export function maxPeaks(one: Peaks, other: Peaks): Peaks {
  return one.map((peak, index) => Math.max(peak, other[index] ?? 0));
}
