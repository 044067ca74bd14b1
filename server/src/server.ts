import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import type { Adapter } from './adapter/adapter.ts';
import { NO_JOURNAL } from './adapter/journal.ts';
import { MemoryAdapter } from './adapter/memory/adapter.ts';
import { Api } from './api/api.ts';
import type { AppConfig } from './apps/app.ts';
import { FileAppStore } from './apps/file-store.ts';
import type { Config } from './config.ts';
import { readForwarding } from './forwarding.ts';
import { Hub } from './hub/hub.ts';
import { Metrics } from './hub/metrics.ts';
import { Listener } from './listener.ts';
import { MetricsExporter } from './ops/metrics.ts';
import { MetricsEndpoint } from './ops/metrics-endpoint.ts';
import { randomSocketId } from './socket/connection.ts';
import { Gateway } from './socket/gateway.ts';
import { Outbox } from './socket/outbox.ts';

/** A running broker. */
export interface Broker {
  readonly host: string;
  /** The port that it listens on, also where the configuration said 0. */
  readonly port: number;
  readonly url: string;
  /** Where `GET /metrics` is answered, if anywhere. */
  readonly metricsUrl: string | undefined;
  /** Takes over another list of apps; connections stay where their app and key still stand. */
  reload(apps: readonly AppConfig[]): void;
  /** Ends gracefully: not ready, connections closed over the drain window, requests answered, then all ended. */
  drain(): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** Parts that may be given instead of made. */
export interface BrokerParts {
  /** @default a silent one */
  readonly log?: Logger;
  /** @default everything in memory */
  readonly adapter?: Adapter;
  /** The clock, in Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Names a new connection. @default random numbers that nobody can guess */
  readonly newSocketId?: () => string;
  /** Adds routes to the HTTP server, in front of its 404. */
  readonly routes?: (app: Express) => void;
}

/**
 * Starts a broker.
 *
 * @throws Error if it cannot listen, or its certificate cannot be read
 */
export async function createServer(config: Config, parts: BrokerParts = {}): Promise<Broker> {
  const { log = pino({ level: 'silent' }), now = Date.now, newSocketId = randomSocketId, routes } = parts;
  const adapter = parts.adapter ?? new MemoryAdapter(now);
  const metrics = new Metrics();
  const apps = new FileAppStore(config.apps);
  const outbox = new Outbox({
    gapMaxMs: config.flushGapMaxMs,
    onFlush: (milliseconds, connections) => exporter.flushed(milliseconds, connections),
  });
  const hub = new Hub({ adapter, journal: NO_JOURNAL, metrics, log });
  const { addressOf, isSecure } = readForwarding(config.trustProxy);
  const gateway = new Gateway({
    config,
    apps,
    adapter,
    hub,
    outbox,
    metrics,
    log,
    now,
    newSocketId,
    addressOf,
    isSecure,
  });
  const exporter = new MetricsExporter({
    apps,
    metrics,
    hub,
    flushes: outbox.statistics,
    bufferedBytes: () => gateway.bufferedBytes(),
  });
  const endpoint = new MetricsEndpoint(exporter.registry, config);
  let ready = true;
  const api = new Api({
    config,
    apps,
    hub,
    adapter,
    metrics,
    log,
    now,
    addressOf,
    ready: () =>
      ready ? { status: 200, body: { status: 'ready' } } : { status: 503, body: { status: 'draining' } },
    routes: (app) => {
      if (endpoint.onMainPort) app.all(`${config.pathPrefix}/metrics`, endpoint.answer);
      routes?.(app);
    },
  });

  const listener = await Listener.create(config, api.handle);
  const metricsListener = await Listener.create(config, endpoint.handle);
  gateway.attach(listener.server);

  const end = async (): Promise<void> => {
    gateway.close();
    outbox.close();
    hub.close();
    await api.close();
    await adapter.close();
    exporter.close();
    await metricsListener.close();
  };
  const close = async (): Promise<void> => {
    ready = false;
    gateway.close();
    await listener.close();
    await end();
  };
  try {
    await listener.listen(config.port);
    if (config.metrics.port !== undefined) await metricsListener.listen(config.metrics.port);
  } catch (error) {
    await close();
    throw error;
  }

  const { port, url } = listener;
  const metricsUrl = metricsListener.listening
    ? `${metricsListener.url}/metrics`
    : endpoint.onMainPort
      ? `${url}${config.pathPrefix}/metrics`
      : undefined;
  log.info({ host: config.host, port, metrics: metricsUrl ?? 'off' }, 'listening');

  return {
    host: config.host,
    port,
    url,
    metricsUrl,
    reload(list) {
      apps.replace(list);
      gateway.closeOrphans();
      log.info({ apps: list.length }, 'apps reloaded');
    },
    async drain() {
      ready = false;
      log.info({ connections: gateway.size }, 'draining');
      await gateway.drain();
      await listener.drain();
      await end();
      log.info('drained');
    },
    close,
  };
}
