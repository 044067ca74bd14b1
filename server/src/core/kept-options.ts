import type { KeptEventsOptions } from '../adapter/memory/kept-events.ts';
import type { HistoryStore } from '../history/durable.ts';
import type { HistoryWriterParts } from '../history/history-writer.ts';
import type { OnLastPositionsBound } from '../history/last-positions.ts';
import type { MemoryHistoryOptions } from '../history/memory-history.ts';
import type { RecordBounds } from '../idempotency/records.ts';
import { OutageLog } from '../log/outage-log.ts';
import { reached } from '../metrics.ts';
import type { CoreParts } from './core.ts';

/** Milliseconds in which a bound that is reached again and again is counted and logged once. */
const REPORT_MS = 60_000;

/** The bounds of the events that cache channels keep; an eviction is counted and logged. */
export function keptOptions({ apps, config, metrics, log }: CoreParts): KeptEventsOptions {
  return {
    boundsOf(appId) {
      const limits = apps.byId(appId)?.limits;
      return { events: limits?.keptEvents ?? 0, bytes: limits?.keptBytes ?? 0 };
    },
    bytes: config.keptBytes,
    onEvicted: (appId) => reached(metrics, log, 'kept_events', { appId }),
  };
}

/** The bounds of what channels with a history keep. */
export function historyOptions(parts: CoreParts): MemoryHistoryOptions {
  const { apps, config, metrics } = parts;
  return {
    boundOf: (appId) => apps.byId(appId)?.historyMaxBytes ?? 0,
    bytes: config.historyMaxTotalBytes,
    countsOf: (appId) => metrics.app(appId).history,
    onBound: onceAMinute(parts, 'history_bytes'),
  };
}

/** The bounds of what is known of publishes under an idempotency key. */
export function idempotencyOptions(parts: CoreParts): RecordBounds {
  const { apps, metrics } = parts;
  return {
    boundsOf(appId) {
      const limits = apps.byId(appId)?.limits;
      return { records: limits?.idempotencyKeys ?? 0, bytes: limits?.idempotencyBytes ?? 0 };
    },
    countsOf: (appId) => metrics.app(appId).idempotency,
    onBound: onceAMinute(parts, 'idempotency_keys'),
  };
}

/** The bound of what is known of connections that have ended is counted and logged when it is reached. */
export function onLastPositionsBound(parts: CoreParts): OnLastPositionsBound {
  return onceAMinute(parts, 'last_positions');
}

/** Which histories outlive the process, and where; an outage of the disk is logged. */
export function durableHistory(parts: CoreParts, store: HistoryStore): HistoryWriterParts {
  const { apps, log } = parts;
  const outage = new OutageLog(
    log,
    'histories cannot be kept on the disk: events are in memory meanwhile',
    'histories are kept on the disk again',
  );
  return {
    store,
    isDurable: (appId) => apps.byId(appId)?.historyDurable ?? false,
    onWritten: (error) => (error === undefined ? outage.succeeded() : outage.failed(error)),
    onNotesBound: onceAMinute(parts, 'history_notes'),
  };
}

/** Counts and logs that an app has reached a bound, which it may do with each event, once a minute. */
function onceAMinute({ metrics, log, monotonic }: CoreParts, bound: string): (appId: string) => void {
  const reportedAt = new Map<string, number>();
  return (appId) => {
    const now = monotonic();
    if (now - (reportedAt.get(appId) ?? -Infinity) < REPORT_MS) return;
    // Reports are rare, so this is the time to forget old ones, of apps that are gone too.
    for (const [other, at] of reportedAt) if (now - at >= REPORT_MS) reportedAt.delete(other);
    reportedAt.set(appId, now);
    reached(metrics, log, bound, { appId });
  };
}
