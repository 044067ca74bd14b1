import { pino } from 'pino';
import { Access } from './access/access.ts';
import { KeyUseWriter } from './adapter/key-uses.ts';
import { adminRoute } from './admin/http/http.ts';
import { Rates } from './admin/rates.ts';
import { Api } from './api/api.ts';
import { AppReload } from './app-reload.ts';
import { FileAppStore } from './apps/file-store.ts';
import type { Broker, BrokerParts, DrainReason } from './broker.ts';
import { callableAddresses } from './config/callable-addresses.ts';
import type { Config } from './config/config.ts';
import { isLoopback } from './config/loopback.ts';
import { hideSecrets } from './config/secrets.ts';
import { Console } from './console/console.ts';
import { Explainer } from './console/diagnosis/explainer.ts';
import { type Readiness, reloadCertificates, webhookDeadline } from './core/core.ts';
import { openCore } from './core/open-core.ts';
import { clientScript } from './http/client-script.ts';
import { addressKey, readForwarding } from './http/forwarding.ts';
import { socketBounds } from './http/sockets/socket-bounds.ts';
import { TransientSockets } from './http/sockets/transient-sockets.ts';
import { Hub } from './hub/hub.ts';
import { Listeners } from './listeners.ts';
import { Metrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import { MetricsEndpoint } from './prometheus/endpoint.ts';
import { MetricsExporter } from './prometheus/exporter.ts';
import { PublishSockets } from './publishing/publish-sockets.ts';
import { FlightRecorder } from './recorder/flight-recorder.ts';
import { BackendRenewals } from './renewal/backend-renewals.ts';
import { Shutdown, type Stopping } from './shutdown.ts';
import { FlushTurns } from './socket/flush-turns.ts';
import { Gateway } from './socket/handshakes/gateway.ts';
import { OpenConnections } from './socket/open-connections.ts';
import { randomSocketId } from './socket/socket-id.ts';
import { WriteQueues } from './socket/write-queues.ts';
import { Certificate } from './tls/certificate.ts';
import { Tokens } from './tokens/tokens.ts';
import { Tracing } from './tracing/tracing.ts';

/**
 * Starts a broker.
 *
 * @throws ConfigError if a file or directory that the configuration names cannot be used
 * @throws DataError if the content of its data directory cannot be used
 * @throws ListenError if it cannot listen
 */
export async function createServer(config: Config, parts: BrokerParts = {}): Promise<Broker> {
  const { log = pino({ level: 'silent' }), newSocketId = randomSocketId, routes } = parts;
  const { now = Date.now, monotonic = () => performance.now() } = parts;
  hideSecrets(config);
  const certificate = config.tls && (await Certificate.open('tls', config.tls, log));
  const { metrics = new Metrics() } = parts;
  const apps = new FileAppStore(config.apps);
  const { adapter: ownAdapter, onWebhookStep } = parts;
  const tracing = await Tracing.find();
  /** What most parts need. */
  const common = { config, apps, metrics, tracing, log, now, monotonic };
  const core = parts.core ?? (await openCore({ ...common, adapter: ownAdapter, onWebhookStep }));
  const { adapter, audit, webhooks, admin, quotas } = core;
  const certificates = [...(certificate ? [certificate] : []), ...core.status.certificates];
  const renewals = new BackendRenewals({
    ...common,
    random: Math.random,
    addresses: callableAddresses(config),
  });
  const tokens = new Tokens({ ...common, addresses: callableAddresses(config) });
  const access = new Access({ counters: adapter.counters, now, monotonic, renewer: renewals });
  const connections = new OpenConnections();
  const recorder = new FlightRecorder(now, monotonic);
  const hub = new Hub({
    adapter,
    access,
    apps,
    journal: core.journal,
    metrics,
    recorder,
    log,
    connections,
  });
  const flushTurns = new FlushTurns({ gapMaxMs: config.flushGapMaxMs });

  const { addressOf, isSecure, isProxy } = readForwarding(config.trustProxy);
  const bounds = socketBounds(config);
  const ownerOf = (address: string) =>
    address === '' || (!bounds.limitsLoopback && isLoopback(address)) ? undefined : addressKey(address);
  const sockets = new TransientSockets({
    ...common,
    bounds,
    answerTimeoutMs: config.answerTimeoutSeconds * 1000,
    ownerOf: (address) => (isProxy(address) ? undefined : ownerOf(address)),
  });
  const pages = config.console
    ? new Console({
        ...parts.console,
        ...common,
        adapter,
        hub,
        administrator: admin.administrator,
        document: () => openApi(config),
        webhooks: webhooks.control,
        audit,
        quotas,
        incarnation: core.status.incarnation,
        addressOf,
        isSecure,
        connections,
      })
    : undefined;
  if (pages) hub.onWatch = ({ appId, ...watched }) => pages.watch(appId, watched);
  const explainer = new Explainer({
    socketIds: (app, limit) => connections.socketIds(app, limit),
    monotonic,
  });
  const gateway = new Gateway({
    ...common,
    explain: (...refused) => explainer.explain(...refused),
    apps: pages?.connectable ?? apps,
    caughtUp: (app) => admin.caughtUp(app),
    adapter,
    access,
    tokens,
    audit,
    hub,
    recorder,
    connections,
    writeQueues: new WriteQueues(flushTurns),
    quotas,
    newSocketId,
    addressOf,
    ownerOf,
    bounds,
    sockets,
    isSecure,
  });

  const rates = new Rates(common);
  const keyUses = new KeyUseWriter({ apps, kept: adapter.keyUses, now });
  const stopping: Stopping = {};
  // A replaced process keeps its readiness: the processes that replace it accept connections.
  const readiness = (): Readiness =>
    stopping.reason === 'stopping' ? { status: 503, body: { status: 'draining' } } : core.status.ready();
  const exporter = new MetricsExporter({
    apps,
    metrics,
    hub,
    flushes: flushTurns.statistics,
    bufferedBytes: () => connections.bufferedBytes(),
    webhooks,
    isDegraded: () => readiness().body.status === 'degraded',
    cluster: core.status.cluster,
    certificates,
  });
  flushTurns.onFlush = (milliseconds, writers) => exporter.flushed(milliseconds, writers);
  const endpoint = new MetricsEndpoint(parts.metricsText?.(exporter.registry) ?? exporter.registry, config);
  const api = new Api({
    ...common,
    caughtUp: (app) => admin.caughtUp(app),
    hub,
    adapter,
    webhooks: webhooks.control,
    webhookKeys: core.webhookKeys,
    audit,
    quotas,
    addressOf,
    ready: readiness,
    isDraining: () => stopping.reason !== undefined,
    routes: (app) => {
      clientScript(app, config.pathPrefix);
      if (endpoint.onMainPort) app.all(`${config.pathPrefix}/metrics`, endpoint.answer);
      const { path, handle } = adminRoute({
        config,
        administrator: admin.administrator,
        addressOf: (request) => addressKey(addressOf(request)),
        isSecure,
        document: () => openApi(config),
      });
      app.use(path, handle);
      pages?.routes(app);
      routes?.(app);
    },
  });

  const { callers, quota, answers, turns } = api;
  const publishSockets = new PublishSockets({
    ...common,
    callers,
    quota,
    answers,
    turns,
    hub,
    adapter,
    quotas,
    sockets,
  });

  const listeners = new Listeners({
    config,
    handle: api.handle,
    metrics: endpoint,
    gateway,
    publishSockets,
    sockets,
    certificate,
    localOnly: parts.localOnly ?? false,
  });

  const reload = new AppReload({
    apps,
    core,
    configured: config.apps,
    recordsKeyChanges: parts.core === undefined,
    hub,
    recorder,
    gateway,
    publishSockets,
  });
  const shutdown = new Shutdown({
    turns,
    stopping,
    webhooks,
    listener: listeners.main,
    publishSockets,
    gateway,
    connections,
    log,
    isInherited: parts.fd !== undefined,
    webhookDeadline: () => webhookDeadline(config),
    async end(deadline) {
      gateway.close();
      publishSockets.close();
      pages?.close();
      flushTurns.close();
      hub.close();
      access.close();
      recorder.close();
      renewals.close();
      tokens.close();
      rates.close();
      reload.close();
      await api.close();
      await keyUses.close();
      if (deadline !== undefined) await webhooks.drain(deadline);
      await core.close();
      exporter.close();
      certificate?.close();
      await listeners.closeMetrics();
      sockets.close();
    },
  });
  const drain = (reason: DrainReason = 'stopping'): Promise<void> => shutdown.drain(reason);
  admin.follow((changes) => reload.take(changes));
  admin.attach({
    processes: () => [rates],
    isDraining: () => stopping.reason !== undefined,
    drain: parts.onDrain ?? (() => void drain()),
  });
  try {
    await hub.revoker.start();
    await listeners.listen(parts.fd);
    webhooks.start();
  } catch (error) {
    await shutdown.close();
    throw error;
  }

  const { port, url } = listeners.main;
  const { metricsUrl } = listeners;
  log.info({ host: config.host, port, metrics: metricsUrl ?? 'off' }, 'listening');

  return {
    host: config.host,
    port,
    url,
    metricsUrl,
    async reload(list) {
      await admin.registry?.useFile(list);
      reloadCertificates(certificates);
      log.info({ apps: list.length }, 'apps reloaded');
    },
    drain,
    close: () => shutdown.close(),
  };
}
