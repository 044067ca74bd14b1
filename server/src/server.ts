import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
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

  const server = await createListener(config, api.handle);
  const metricsServer = await createListener(config, endpoint.handle);
  gateway.attach(server);

  const end = async (): Promise<void> => {
    gateway.close();
    outbox.close();
    hub.close();
    await api.close();
    await adapter.close();
    exporter.close();
    metricsServer.closeAllConnections();
    await closeListener(metricsServer);
  };
  const close = async (): Promise<void> => {
    ready = false;
    gateway.close();
    server.closeAllConnections();
    await closeListener(server);
    await end();
  };
  try {
    await listen(server, config.host, config.port);
    if (config.metrics.port !== undefined) await listen(metricsServer, config.host, config.metrics.port);
  } catch (error) {
    await close();
    throw error;
  }

  const url = urlOf(server, config);
  const metricsUrl = metricsServer.listening
    ? `${urlOf(metricsServer, config)}/metrics`
    : endpoint.onMainPort
      ? `${url}${config.pathPrefix}/metrics`
      : undefined;
  const port = portOf(server);
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
      await closeListener(server);
      await end();
      log.info('drained');
    },
    close,
  };
}

async function createListener(config: Config, handle: RequestListener): Promise<Server> {
  if (!config.tls) return createHttpServer(handle);
  const [cert, key] = await Promise.all([readFile(config.tls.cert), readFile(config.tls.key)]);
  return createHttpsServer({ cert, key }, handle);
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function urlOf(server: Server, { host, tls }: Config): string {
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${portOf(server)}`;
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Connections that may wait to be accepted: many clients come back at once. */
const BACKLOG = 4096;

/** Waits for the requests in progress, and ends connections that only wait for another. */
function closeListener(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}
