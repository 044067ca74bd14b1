import type { KeptEventsOptions } from '../adapter/memory/kept-events.ts';
import type { HistoryStore } from '../history/durable.ts';
import type { HistoryWriterParts } from '../history/history-writer.ts';
import type { OnLastPositionsBound } from '../history/last-positions.ts';
import type { MemoryHistoryOptions } from '../history/memory-history.ts';
import type { RecordBounds } from '../idempotency/records.ts';
import { OutageLog } from '../log/outage-log.ts';
import { reached } from '../metrics.ts';
import type { CoreParts } from './core.ts';

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

/** The bounds of what channels with a history keep; the first of several evictions is counted and logged. */
export function historyOptions({ apps, config, metrics, log }: CoreParts): MemoryHistoryOptions {
  return {
    boundOf: (appId) => apps.byId(appId)?.historyMaxBytes ?? 0,
    bytes: config.historyMaxTotalBytes,
    countsOf: (appId) => metrics.app(appId).history,
    onBound: (appId) => reached(metrics, log, 'history_bytes', { appId }),
  };
}

/** The bounds of what is known of publishes under an idempotency key. */
export function idempotencyOptions({ apps, metrics, log }: CoreParts): RecordBounds {
  return {
    boundsOf(appId) {
      const limits = apps.byId(appId)?.limits;
      return { records: limits?.idempotencyKeys ?? 0, bytes: limits?.idempotencyBytes ?? 0 };
    },
    countsOf: (appId) => metrics.app(appId).idempotency,
    onBound: (appId) => reached(metrics, log, 'idempotency_keys', { appId }),
  };
}

/** The bound of what is known of connections that have ended is counted and logged when it is reached. */
export function onLastPositionsBound({ metrics, log }: CoreParts): OnLastPositionsBound {
  return (appId) => reached(metrics, log, 'last_positions', { appId });
}

/** Which histories outlive the process, and where; an outage of the disk is logged. */
export function durableHistory({ apps, log }: CoreParts, store: HistoryStore): HistoryWriterParts {
  const outage = new OutageLog(
    log,
    'histories cannot be kept on the disk: events are in memory meanwhile',
    'histories are kept on the disk again',
  );
  return {
    store,
    isDurable: (appId) => apps.byId(appId)?.historyDurable ?? false,
    onWritten: (error) => (error === undefined ? outage.succeeded() : outage.failed(error)),
  };
}
