import type { RequestListener } from 'node:http';
import type { Express } from 'express';
import { type Logger, pino } from 'pino';
import type { Adapter } from './adapter/adapter.ts';
import { Api } from './api/api.ts';
import type { AppConfig } from './apps/app.ts';
import { FileAppStore } from './apps/file-store.ts';
import type { Config } from './config/config.ts';
import { isLoopback } from './config/loopback.ts';
import { hideSecrets, hideSecretsOf } from './config/secrets.ts';
import { Console, type ConsoleOptions } from './console/console.ts';
import { openCore } from './core/cluster-core.ts';
import { type Core, type Readiness, webhookDeadline } from './core/core.ts';
import { addressKey, readForwarding } from './http/forwarding.ts';
import { Listener } from './http/listener.ts';
import { localOnly, notLocal, whyForeign } from './http/local-only.ts';
import { socketBounds } from './http/socket-bounds.ts';
import { TransientSockets } from './http/transient-sockets.ts';
import { Hub } from './hub/hub.ts';
import { Metrics } from './metrics.ts';
import { MetricsEndpoint } from './prometheus/endpoint.ts';
import { MetricsExporter } from './prometheus/exporter.ts';
import { Gateway } from './socket/gateway.ts';
import { randomSocketId } from './socket/socket-id.ts';
import { WriteQueue } from './socket/write-queue.ts';
import { Certificate } from './tls/certificate.ts';
import type { WebhookStep } from './webhooks/webhooks.ts';

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
  /**
   * Ends gracefully: not ready, connections closed over the drain window, requests answered, then all ended. Asked again,
   * it goes on.
   *
   * @param replaced another process accepts on the same socket by now: nobody more is accepted here, and nobody refused
   */
  drain(replaced?: boolean): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** Parts that may be given instead of made. */
export interface BrokerParts {
  /** @default a silent one */
  readonly log?: Logger;
  /** @default the one in Redis if that is configured, else one that keeps everything in memory */
  readonly adapter?: Adapter;
  /** @default one of this process alone, with the adapter */
  readonly core?: Core;
  /** Descriptor of a socket that listens already, in the place of host and port; of several processes, in their parent. */
  readonly fd?: number | undefined;
  /** The clock, in Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Milliseconds, by a clock that nobody sets: for all that is waited for or limited. @default performance.now */
  readonly monotonic?: () => number;
  /** Names a new connection. @default random numbers that nobody can guess */
  readonly newSocketId?: () => string;
  /** Is told each step of a webhook, so that a test can end the process there. */
  readonly onWebhookStep?: (step: WebhookStep) => void;
  /** How its console differs from the usual one. */
  readonly console?: ConsoleOptions;
  /** Whether it answers this machine and its pages only, whatever the way. @default false */
  readonly localOnly?: boolean;
  /** Adds routes to the HTTP server, in front of its 404. */
  readonly routes?: (app: Express) => void;
}

/**
 * Starts a broker.
 *
 * @throws ConfigError if a file or directory that the configuration names cannot be used
 * @throws DataError if what is in its data directory cannot be used
 * @throws ListenError if it cannot listen
 */
export async function createServer(config: Config, parts: BrokerParts = {}): Promise<Broker> {
  const { log = pino({ level: 'silent' }), newSocketId = randomSocketId, routes } = parts;
  const { now = Date.now, monotonic = () => performance.now() } = parts;
  hideSecrets(config);
  const certificate = config.tls && (await Certificate.open('tls', config.tls, log));
  const metrics = new Metrics();
  const apps = new FileAppStore(config.apps);
  const { adapter: ownAdapter, onWebhookStep } = parts;
  const core =
    parts.core ??
    (await openCore({ config, apps, metrics, log, now, monotonic, adapter: ownAdapter, onWebhookStep }));
  const { adapter, webhooks } = core;
  const outbox = new WriteQueue({
    gapMaxMs: config.flushGapMaxMs,
    onFlush: (milliseconds, connections) => exporter.flushed(milliseconds, connections),
  });
  const hub = new Hub({
    adapter,
    apps,
    journal: core.journal,
    metrics,
    log,
    onWatch: (...watched) => pages?.watch(...watched),
  });
  const { addressOf, isSecure, isProxy } = readForwarding(config.trustProxy);
  const bounds = socketBounds(config);
  const ownerOf = (address: string) =>
    address === '' || (!bounds.limitsLoopback && isLoopback(address)) ? undefined : addressKey(address);
  const sockets = new TransientSockets({
    bounds,
    answerTimeoutMs: config.answerTimeoutSeconds * 1000,
    ownerOf: (address) => (isProxy(address) ? undefined : ownerOf(address)),
    metrics,
    log,
    monotonic,
  });
  const pages = config.console
    ? new Console({
        ...parts.console,
        config,
        apps,
        adapter,
        hub,
        webhooks,
        metrics,
        incarnation: core.incarnation,
        log,
        now,
        monotonic,
        addressOf,
        isSecure,
        socketIds: (app, limit) => gateway.socketIds(app, limit),
      })
    : undefined;
  const gateway = new Gateway({
    config,
    apps: pages?.connectable ?? apps,
    adapter,
    hub,
    outbox,
    metrics,
    log,
    now,
    monotonic,
    newSocketId,
    addressOf,
    ownerOf,
    bounds,
    sockets,
    isSecure,
  });
  let isDraining = false;
  let isReplaced = false;
  let drained: Promise<void> | undefined;
  // One that is replaced speaks for all: the others take connections.
  const readiness = (): Readiness =>
    isDraining && !isReplaced ? { status: 503, body: { status: 'draining' } } : core.ready();
  const exporter = new MetricsExporter({
    apps,
    metrics,
    hub,
    flushes: outbox.statistics,
    bufferedBytes: () => gateway.bufferedBytes(),
    webhookDeliveries: () => core.countDeliveries(),
    isDegraded: () => readiness().body.status === 'degraded',
    cluster: core.cluster,
    certificates: [...(certificate ? [certificate] : []), ...core.certificates],
  });
  const endpoint = new MetricsEndpoint(core.metricsOf(exporter.registry), config);
  const api = new Api({
    config,
    apps,
    hub,
    adapter,
    webhooks,
    metrics,
    log,
    now,
    monotonic,
    addressOf,
    ready: readiness,
    isDraining: () => isDraining,
    routes: (app) => {
      if (endpoint.onMainPort) app.all(`${config.pathPrefix}/metrics`, endpoint.answer);
      pages?.routes(app);
      routes?.(app);
    },
  });

  const guarded = parts.localOnly ? localOnly : (handle: RequestListener) => handle;
  const listener = Listener.create(config, guarded(api.handle), sockets, certificate?.pem);
  const metricsListener = Listener.create(config, guarded(endpoint.handle), sockets, certificate?.pem);
  listener.onUpgrade((request, socket, head) => {
    const reason = parts.localOnly ? whyForeign(request) : undefined;
    gateway.upgrade(request, socket, head, reason === undefined ? undefined : notLocal(reason));
  });
  certificate?.onChange((pem) => {
    listener.use(pem);
    metricsListener.use(pem);
  });

  /** @param deadline until when webhooks are delivered; without it they are not waited for */
  const endAll = async (deadline?: number): Promise<void> => {
    gateway.close();
    pages?.close();
    outbox.close();
    hub.close();
    await api.close();
    if (deadline !== undefined) await core.drain(deadline);
    await core.close();
    exporter.close();
    certificate?.close();
    await metricsListener.close();
    sockets.close();
  };
  let ended: Promise<void> | undefined;
  const end = (deadline?: number): Promise<void> => {
    ended ??= endAll(deadline);
    return ended;
  };
  const closeAll = async (): Promise<void> => {
    isDraining = true;
    core.handOver();
    gateway.close();
    await listener.close();
    await end();
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= closeAll();
    return closed;
  };
  const drain = async (replaced: boolean): Promise<void> => {
    isDraining = true;
    isReplaced = replaced;
    // Whoever comes now finds the socket open, and another process behind it: at once, or as soon as that has begun.
    const isLeft = replaced || parts.fd !== undefined;
    const deadline = webhookDeadline(config);
    core.handOver();
    log.info({ connections: gateway.size }, 'draining');
    if (isLeft) listener.leave();
    await gateway.drain(isLeft);
    await listener.drain(replaced);
    await end(deadline);
    log.info('drained');
  };
  try {
    await listener.listen(config.port, 'port', parts.fd);
    core.start();
    if (config.metrics.port !== undefined) {
      await metricsListener.listen(config.metrics.port, 'metrics.port');
    }
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
      hideSecretsOf(list);
      apps.replace(list);
      core.reload();
      gateway.closeOrphans();
      hub.endings.endInvalid();
      // It says itself what became of it.
      void certificate?.reload();
      log.info({ apps: list.length }, 'apps reloaded');
    },
    drain(replaced = false) {
      drained ??= drain(replaced);
      return drained;
    },
    close,
  };
}
