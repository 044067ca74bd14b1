import type { AppSeries } from './app-series.ts';
import { type MetricsRegistry, only } from './registry.ts';
import type { MetricsSources } from './sources.ts';

/** Registers the metrics of messages, histories and publishes. */
export function registerTrafficMetrics(
  page: MetricsRegistry,
  sources: MetricsSources,
  apps: AppSeries,
): void {
  page.counter('messages_received_total', 'Messages from clients', ['app'], () =>
    apps.each((app) => app.messagesIn),
  );
  page.counter('received_bytes_total', 'Bytes of messages from clients', ['app'], () =>
    apps.each((app) => app.bytesIn),
  );
  page.counter('messages_sent_total', 'Messages to clients', ['app'], () =>
    apps.each((app) => app.messagesOut),
  );
  page.counter('sent_bytes_total', 'Bytes of frames to clients', ['app'], () =>
    apps.each((app) => app.bytesOut),
  );
  page.counter('deliveries_total', 'Events and news, counted once for each subscriber', ['app'], () =>
    apps.each((app) => app.deliveries),
  );
  page.counter('client_events_total', 'Client events accepted', ['app'], () =>
    apps.each((app) => app.clientEvents),
  );
  page.counter('publishes_total', 'Requests to publish, by the status of their answer', ['app', 'code'], () =>
    apps.eachBy('code', (app) => app.publishes),
  );
  page.gauge('publish_connections', 'Open sockets that publish', ['app'], () =>
    apps.each((app) => app.publishSockets.open),
  );
  page.gauge(
    'publish_frames_unanswered',
    'Frames of these sockets that are read and not answered',
    ['app'],
    () => apps.each((app) => app.publishSockets.unanswered),
  );
  page.counter(
    'publish_pauses_total',
    'How often one of these sockets was not read until it had caught up',
    ['app'],
    () => apps.each((app) => app.publishSockets.pauses),
  );
  page.gauge('history_events', 'Events that channels with a history keep', ['app'], () =>
    apps.each((app) => app.history.events),
  );
  page.gauge('history_bytes', 'Bytes of the events that channels with a history keep', ['app'], () =>
    apps.each((app) => app.history.bytes),
  );
  page.counter(
    'history_evicted_total',
    'Events of histories that were dropped before their time, because there were too many bytes',
    ['app'],
    () => apps.each((app) => app.history.evicted),
  );
  page.gauge('idempotency_records', 'Requests that are known by their idempotency key', ['app'], () =>
    apps.each((app) => app.idempotency.records),
  );
  page.gauge('idempotency_bytes', 'Bytes of what is known of these requests', ['app'], () =>
    apps.each((app) => app.idempotency.bytes),
  );
  page.counter(
    'idempotency_evicted_total',
    'Requests that were forgotten before their time, because there were too many',
    ['app'],
    () => apps.each((app) => app.idempotency.evicted),
  );
  page.counter(
    'idempotency_replays_total',
    'Requests of which nothing was published, because all of it was before',
    ['app'],
    () => apps.each((app) => app.idempotency.repeated),
  );
  page.counter(
    'recoveries_total',
    'Subscriptions of clients that came back with a position, by what they got',
    ['app', 'status'],
    () => apps.eachBy('status', (app) => app.recoveries),
  );
  const { flushes } = sources;
  page.counter('flush_writes_total', 'Buffers written to sockets', [], () => only(flushes.writes));
  page.counter('flush_joined_total', 'Buffers that were joined from several frames', [], () =>
    only(flushes.joined),
  );
}
