import type { KeptEventsOptions } from '../adapter/memory/kept-events.ts';
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
