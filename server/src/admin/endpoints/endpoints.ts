import type { AdminEndpoint } from '../http/endpoint.ts';
import { deleteApp } from './app-deletion.ts';
import { showStats } from './app-stats.ts';
import { appEndpoints } from './apps.ts';
import { auditEndpoints } from './audit.ts';
import { keyEndpoints } from './keys.ts';
import { showLiveStats } from './live-stats.ts';
import { nodeEndpoints } from './nodes.ts';
import { tokenEndpoints } from './tokens.ts';
import { usageEndpoints } from './usage.ts';
import { sumUsage } from './usage-totals.ts';
import { webhookEndpoints } from './webhooks.ts';

/** All requests of the admin API. */
export const adminEndpoints: readonly AdminEndpoint[] = [
  ...appEndpoints,
  deleteApp,
  showStats,
  showLiveStats,
  ...keyEndpoints,
  ...webhookEndpoints,
  ...nodeEndpoints,
  ...tokenEndpoints,
  ...auditEndpoints,
  ...usageEndpoints,
  sumUsage,
];
