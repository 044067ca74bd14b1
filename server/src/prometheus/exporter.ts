import type { Registry } from 'prom-client';
import type { AppStore } from '../apps/app.ts';
import type { Hub } from '../hub/hub.ts';
import { suppression } from '../log/log-limit.ts';
import { type AppMetrics, type Metrics, zeroOfEachKind } from '../metrics.ts';
import type { FlushStatistics } from '../socket/write-queue.ts';
import type { Certificate } from '../tls/certificate.ts';
import { VERSION } from '../version.ts';
import { type ClusterStats, registerClusterMetrics } from './cluster.ts';
import type { Distribution } from './distribution.ts';
import { ProcessMetrics } from './process.ts';
import { MetricsRegistry, only, type Series } from './registry.ts';

/** Where the values of the metrics come from. */
export interface MetricsSources {
  readonly apps: AppStore;
  readonly metrics: Metrics;
  readonly hub: Pick<Hub, 'census'>;
  readonly flushes: Readonly<FlushStatistics>;
  /** Bytes that wait for readers, by app id. */
  readonly bufferedBytes: () => ReadonlyMap<string, number>;
  readonly webhooks: {
    /** By state, by app id. */
    countDeliveries(): ReadonlyMap<string, Readonly<Record<string, number>>>;
    /** By kind; `undefined` if another process keeps them. */
    keptBytes(appId: string): Readonly<Record<string, number>> | undefined;
  };
  /** Whether `GET /ready` answers `degraded`. */
  readonly isDegraded: () => boolean;
  /** `undefined`: the node is in no cluster. */
  readonly cluster: ClusterStats | undefined;
  /** All certificates of this process. */
  readonly certificates: readonly Certificate[];
}

/**
 * Exports the metrics of docs/operations.md. Their values are plain numbers that are read when Prometheus scrapes them,
 * so a delivery does not pay for them. Labels come from fixed sets, never from clients.
 */
export class MetricsExporter {
  readonly #page = new MetricsRegistry();
  readonly #sources: MetricsSources;
  readonly #process: ProcessMetrics;
  readonly #flushSeconds: Distribution;
  readonly #flushConnections: Distribution;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    this.#process = new ProcessMetrics(this.registry);
    this.#flushSeconds = this.#page.histogram(
      'flush_seconds',
      'Time that one flush spent writing to sockets',
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    );
    this.#flushConnections = this.#page.histogram(
      'flush_connections',
      'Connections that one flush wrote to',
      [1, 10, 100, 1000, 10_000, 100_000],
    );
    this.#addConnections();
    this.#addChannels();
    this.#addTraffic();
    this.#addRefusals();
    this.#addRenewals();
    this.#addTokens();
    this.#addWebhooks();
    this.#addAudit();
    if (sources.cluster) registerClusterMetrics(this.#page, sources.cluster);
    this.#page.gauge(
      'degraded',
      '1 while GET /ready says degraded',
      [],
      () => only(sources.isDegraded() ? 1 : 0),
      { scope: 'node' },
    );
    this.#page.gauge(
      'certificate_expiry_timestamp_seconds',
      'When the certificate of a setting ends, in Unix time',
      ['setting'],
      () => expiriesOf(sources.certificates),
      // All workers have the same files, and a worker that failed to read them again matters.
      { aggregator: 'min' },
    );
    this.#page.gauge(
      'build_info',
      'Always 1; the labels tell what runs',
      ['version', 'node'],
      () => [[{ version: VERSION, node: this.#process.nodeVersion }, 1]],
      { scope: 'node' },
    );
  }

  get registry(): Registry {
    return this.#page.registry;
  }

  /** Names of the metrics that only the node as a whole can measure. */
  get nodeMetrics(): ReadonlySet<string> {
    return this.#page.nodeMetrics;
  }

  /** Names of the metrics that matter only in processes that serve connections. */
  get servingMetrics(): ReadonlySet<string> {
    return this.#process.servingMetrics;
  }

  /** Records one flush of the write queue. */
  flushed(milliseconds: number, connections: number): void {
    this.#flushSeconds.observe(milliseconds / 1000);
    this.#flushConnections.observe(connections);
  }

  /** Stops the measurements. */
  close(): void {
    this.#process.close();
  }

  #addConnections(): void {
    this.#page.gauge('connections', 'Open connections', ['app'], () =>
      this.#perApp((app) => app.connections),
    );
    this.#page.counter('connects_total', 'Connections established', ['app'], () =>
      this.#perApp((app) => app.connects),
    );
    this.#page.counter('closes_total', 'Connections ended, by close code', ['app', 'code'], () =>
      this.#perAppAnd('code', (app) => app.closes),
    );
    this.#page.counter('slow_readers_total', 'Connections ended because they read too slowly', ['app'], () =>
      this.#perApp((app) => app.slowReaders),
    );
    this.#page.gauge('buffered_bytes', 'Bytes that wait for readers', ['app'], () => {
      const buffered = this.#sources.bufferedBytes();
      return this.#perApp((_, app) => buffered.get(app) ?? 0);
    });
  }

  #addChannels(): void {
    this.#page.gauge('subscriptions', 'Subscriptions by kind of channel', ['app', 'kind'], () =>
      this.#perAppAnd('kind', (app) => Object.entries(app.subscriptions)),
    );
    // A channel with subscribers in two workers is one channel.
    this.#page.gauge(
      'channels',
      'Channels with a subscriber on this node, by kind',
      ['app', 'kind'],
      () => {
        const census = this.#sources.hub.census();
        return this.#perAppAnd('kind', (_, app) =>
          Object.entries(census.get(app)?.channels ?? zeroOfEachKind()),
        );
      },
      { scope: 'node' },
    );
    this.#page.gauge(
      'members',
      'Users in presence channels on this node, one for each channel',
      ['app'],
      () => {
        const census = this.#sources.hub.census();
        return this.#perApp((_, app) => census.get(app)?.members ?? 0);
      },
      { scope: 'node' },
    );
  }

  #addTraffic(): void {
    this.#page.counter('messages_received_total', 'Messages from clients', ['app'], () =>
      this.#perApp((app) => app.messagesIn),
    );
    this.#page.counter('received_bytes_total', 'Bytes of messages from clients', ['app'], () =>
      this.#perApp((app) => app.bytesIn),
    );
    this.#page.counter('messages_sent_total', 'Messages to clients', ['app'], () =>
      this.#perApp((app) => app.messagesOut),
    );
    this.#page.counter('sent_bytes_total', 'Bytes of frames to clients', ['app'], () =>
      this.#perApp((app) => app.bytesOut),
    );
    this.#page.counter('deliveries_total', 'Events and news, counted once for each subscriber', ['app'], () =>
      this.#perApp((app) => app.deliveries),
    );
    this.#page.counter('client_events_total', 'Client events accepted', ['app'], () =>
      this.#perApp((app) => app.clientEvents),
    );
    this.#page.counter(
      'publishes_total',
      'Requests to publish, by the status of their answer',
      ['app', 'code'],
      () => this.#perAppAnd('code', (app) => app.publishes),
    );
    this.#page.gauge('publish_connections', 'Open sockets that publish', ['app'], () =>
      this.#perApp((app) => app.publishSockets.open),
    );
    this.#page.gauge(
      'publish_frames_unanswered',
      'Frames of these sockets that are read and not answered',
      ['app'],
      () => this.#perApp((app) => app.publishSockets.unanswered),
    );
    this.#page.counter(
      'publish_pauses_total',
      'How often one of these sockets was not read until it had caught up',
      ['app'],
      () => this.#perApp((app) => app.publishSockets.pauses),
    );
    this.#page.gauge('history_events', 'Events that channels with a history keep', ['app'], () =>
      this.#perApp((app) => app.history.events),
    );
    this.#page.gauge('history_bytes', 'Bytes of the events that channels with a history keep', ['app'], () =>
      this.#perApp((app) => app.history.bytes),
    );
    this.#page.counter(
      'history_evicted_total',
      'Events of histories that were dropped before their time, because there were too many bytes',
      ['app'],
      () => this.#perApp((app) => app.history.evicted),
    );
    this.#page.gauge('idempotency_records', 'Requests that are known by their idempotency key', ['app'], () =>
      this.#perApp((app) => app.idempotency.records),
    );
    this.#page.gauge('idempotency_bytes', 'Bytes of what is known of these requests', ['app'], () =>
      this.#perApp((app) => app.idempotency.bytes),
    );
    this.#page.counter(
      'idempotency_evicted_total',
      'Requests that were forgotten before their time, because there were too many',
      ['app'],
      () => this.#perApp((app) => app.idempotency.evicted),
    );
    this.#page.counter(
      'idempotency_replays_total',
      'Requests of which nothing was published, because all of it was before',
      ['app'],
      () => this.#perApp((app) => app.idempotency.repeated),
    );
    this.#page.counter(
      'recoveries_total',
      'Subscriptions of clients that came back with a position, by what they got',
      ['app', 'status'],
      () => this.#perAppAnd('status', (app) => app.recoveries),
    );
    const { flushes } = this.#sources;
    this.#page.counter('flush_writes_total', 'Buffers written to sockets', [], () => only(flushes.writes));
    this.#page.counter('flush_joined_total', 'Buffers that were joined from several frames', [], () =>
      only(flushes.joined),
    );
  }

  #addRefusals(): void {
    this.#page.counter('refusals_total', 'Messages and subscriptions refused', ['app', 'reason'], () =>
      this.#perAppAnd('reason', (app) => app.refusals),
    );
    this.#page.counter('rate_limit_hits_total', 'Messages and requests over a rate limit', ['app'], () =>
      this.#perApp((app) => app.rateLimitHits),
    );
    this.#page.counter('refused_handshakes_total', 'Connections refused, by close code', ['code'], () =>
      [...this.#sources.metrics.refusedHandshakes].map(([code, count]) => [{ code }, count] as const),
    );
    this.#page.counter('bounds_reached_total', 'How often a bound of the broker was reached', ['bound'], () =>
      [...this.#sources.metrics.bounds].map(([bound, count]) => [{ bound }, count] as const),
    );
    this.#page.counter('log_lines_suppressed_total', 'Lines that the log was spared', [], () =>
      only(suppression.lines),
    );
    this.#page.counter('message_gaps_total', 'Channels of which messages were missed for good', [], () =>
      only(this.#sources.metrics.gaps),
    );
  }

  #addAudit(): void {
    const { metrics } = this.#sources;
    this.#page.counter('audit_records_total', 'Audit records that were written', [], () =>
      only(metrics.auditRecords),
    );
    this.#page.counter('audit_records_lost_total', 'Audit records that could not be written', [], () =>
      only(metrics.auditRecordsLost),
    );
  }

  #addRenewals(): void {
    this.#page.counter(
      'renewal_requests_total',
      'Requests to backends to renew grants, by what became of them',
      ['app', 'outcome'],
      () => this.#perAppAnd('outcome', (app) => app.renewalRequests),
    );
    this.#page.counter(
      'renewals_total',
      'Grants and sign-ins that backends were asked to renew, by result',
      ['app', 'result'],
      () => this.#perAppAnd('result', (app) => app.renewals),
    );
  }

  #addTokens(): void {
    this.#page.counter(
      'token_key_requests_total',
      'Requests for the keys of issuers of tokens, by what became of them',
      ['app', 'outcome'],
      () => this.#perAppAnd('outcome', (app) => app.tokenKeyRequests),
    );
  }

  #addWebhooks(): void {
    this.#page.gauge(
      'webhook_deliveries',
      'Webhook deliveries that did not arrive yet, by state',
      ['app', 'state'],
      () => {
        const deliveries = this.#sources.webhooks.countDeliveries();
        return this.#perAppAnd('state', (_, app) => Object.entries(deliveries.get(app) ?? {}));
      },
    );
    this.#page.gauge(
      'webhook_kept_bytes',
      'Bytes of webhook deliveries that wait, of dead letters, and of logged events',
      ['app', 'kind'],
      () => this.#perAppAnd('kind', (_, app) => Object.entries(this.#sources.webhooks.keptBytes(app) ?? {})),
    );
    this.#page.counter(
      'webhook_attempts_total',
      'Webhook requests, by what became of them',
      ['app', 'outcome'],
      () => this.#perAppAnd('outcome', (app) => app.webhookAttempts),
    );
    this.#page.counter('webhook_dead_letters_total', 'Webhook deliveries that were given up', ['app'], () =>
      this.#perApp((app) => app.webhookDeadLetters),
    );
    this.#page.counter(
      'webhook_events_lost_total',
      'Webhook events that could not be committed, and are lost',
      ['app'],
      () => this.#perApp((app) => app.webhookEventsLost),
    );
    this.#page.counter(
      'webhook_forgotten_total',
      'Webhook events and dead letters that were forgotten before their time, because there were too many',
      ['app', 'kind'],
      () => this.#perAppAnd('kind', (app) => app.webhookForgotten),
    );
  }

  /** Every app that ever had a value, and all present ones, so that their series begin at 0. */
  #apps(): ReadonlyMap<string, AppMetrics> {
    const { apps, metrics } = this.#sources;
    for (const { id } of apps.all()) metrics.app(id);
    return metrics.apps;
  }

  *#perApp(read: (metrics: AppMetrics, app: string) => number): Series {
    for (const [app, metrics] of this.#apps()) yield [{ app }, read(metrics, app)];
  }

  *#perAppAnd(
    label: string,
    read: (metrics: AppMetrics, app: string) => Iterable<readonly [string | number, number]>,
  ): Series {
    for (const [app, metrics] of this.#apps())
      for (const [value, count] of read(metrics, app)) yield [{ app, [label]: value }, count];
  }
}

function* expiriesOf(certificates: readonly Certificate[]): Series {
  for (const { section, expiresAt } of certificates) {
    if (expiresAt !== undefined) yield [{ setting: `${section}.cert` }, expiresAt / 1000];
  }
}
