import type { AppSeries } from './app-series.ts';
import type { MetricsRegistry } from './registry.ts';
import type { MetricsSources } from './sources.ts';

/** Registers the metrics of webhooks. */
export function registerWebhooksMetrics(
  page: MetricsRegistry,
  sources: MetricsSources,
  apps: AppSeries,
): void {
  page.gauge(
    'webhook_deliveries',
    'Webhook deliveries that did not arrive yet, by state',
    ['app', 'state'],
    () => {
      const deliveries = sources.webhooks.countDeliveries();
      return apps.eachBy('state', (_, app) => Object.entries(deliveries.get(app) ?? {}));
    },
  );
  page.gauge(
    'webhook_kept_bytes',
    'Bytes of webhook deliveries that wait, of dead letters, and of logged events',
    ['app', 'kind'],
    () => apps.eachBy('kind', (_, app) => Object.entries(sources.webhooks.keptBytes(app) ?? {})),
  );
  page.counter('webhook_attempts_total', 'Webhook requests, by what became of them', ['app', 'outcome'], () =>
    apps.eachBy('outcome', (app) => app.webhookAttempts),
  );
  page.counter('webhook_dead_letters_total', 'Webhook deliveries that were given up', ['app'], () =>
    apps.each((app) => app.webhookDeadLetters),
  );
  page.counter(
    'webhook_events_lost_total',
    'Webhook events that could not be committed, and are lost',
    ['app'],
    () => apps.each((app) => app.webhookEventsLost),
  );
  page.counter(
    'webhook_forgotten_total',
    'Webhook events and dead letters that were forgotten before their time, because there were too many',
    ['app', 'kind'],
    () => apps.eachBy('kind', (app) => app.webhookForgotten),
  );
}
