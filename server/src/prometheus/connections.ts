import { zeroOfEachKind } from '../metrics.ts';
import type { AppSeries } from './app-series.ts';
import type { MetricsRegistry } from './registry.ts';
import type { MetricsSources } from './sources.ts';

/** Registers the metrics of connections and channels. */
export function registerConnectionsMetrics(
  page: MetricsRegistry,
  sources: MetricsSources,
  apps: AppSeries,
): void {
  page.gauge('connections', 'Open connections', ['app'], () => apps.each((app) => app.connections));
  page.counter('connects_total', 'Connections established', ['app'], () => apps.each((app) => app.connects));
  page.counter('closes_total', 'Connections ended, by close code', ['app', 'code'], () =>
    apps.eachBy('code', (app) => app.closes),
  );
  page.counter('slow_readers_total', 'Connections ended because they read too slowly', ['app'], () =>
    apps.each((app) => app.slowReaders),
  );
  page.gauge('buffered_bytes', 'Bytes that wait for readers', ['app'], () => {
    const buffered = sources.bufferedBytes();
    return apps.each((_, app) => buffered.get(app) ?? 0);
  });
  page.gauge('subscriptions', 'Subscriptions by kind of channel', ['app', 'kind'], () =>
    apps.eachBy('kind', (app) => Object.entries(app.subscriptions)),
  );
  // A channel with subscribers in two workers is one channel.
  page.gauge(
    'channels',
    'Channels with a subscriber on this node, by kind',
    ['app', 'kind'],
    () => {
      const census = sources.hub.census();
      return apps.eachBy('kind', (_, app) => Object.entries(census.get(app)?.channels ?? zeroOfEachKind()));
    },
    { scope: 'node' },
  );
  page.gauge(
    'members',
    'Users in presence channels on this node, one for each channel',
    ['app'],
    () => {
      const census = sources.hub.census();
      return apps.each((_, app) => census.get(app)?.members ?? 0);
    },
    { scope: 'node' },
  );
}
