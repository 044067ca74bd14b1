import type { Registry } from 'prom-client';
import type { Certificate } from '../tls/certificate.ts';
import { VERSION } from '../version.ts';
import { AppSeries } from './app-series.ts';
import { registerClusterMetrics } from './cluster.ts';
import { registerConnectionsMetrics } from './connections.ts';
import type { Distribution } from './distribution.ts';
import { ProcessMetrics } from './process.ts';
import { MetricsRegistry, only, type Series } from './registry.ts';
import type { MetricsSources } from './sources.ts';
import { registerTrafficMetrics } from './traffic.ts';
import { registerTrustMetrics } from './trust.ts';
import { registerWebhooksMetrics } from './webhooks.ts';

/**
 * Exports the metrics of docs/operations.md. Their values are plain numbers that are read when Prometheus scrapes them,
 * so a delivery does not pay for them. Labels come from fixed sets, never from clients.
 */
export class MetricsExporter {
  readonly #page = new MetricsRegistry();
  readonly #process: ProcessMetrics;
  readonly #flushSeconds: Distribution;
  readonly #flushConnections: Distribution;

  constructor(sources: MetricsSources) {
    const apps = new AppSeries(sources.apps, sources.metrics);
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
    registerConnectionsMetrics(this.#page, sources, apps);
    registerTrafficMetrics(this.#page, sources, apps);
    registerTrustMetrics(this.#page, sources, apps);
    registerWebhooksMetrics(this.#page, sources, apps);
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
}

function* expiriesOf(certificates: readonly Certificate[]): Series {
  for (const { section, expiresAt } of certificates) {
    if (expiresAt !== undefined) yield [{ setting: `${section}.cert` }, expiresAt / 1000];
  }
}
