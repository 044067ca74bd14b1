import type { Config } from '../../config/config.ts';
import type { OutboxBounds } from './outbox.ts';

/** How much the outbox of a configuration keeps. */
export function boundsOf(config: Config): OutboxBounds {
  return {
    maxPending: config.webhookMaxPending,
    maxLogEvents: config.webhookMaxLogEvents,
    maxBytes: config.webhookMaxBytes,
    maxTotalBytes: config.webhookMaxTotalBytes,
  };
}
