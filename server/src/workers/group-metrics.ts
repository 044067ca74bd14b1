import { AggregatorRegistry, Counter, Gauge, type MetricObject } from 'prom-client';
import type { Metrics } from '../metrics.ts';
import { MetricsExporter } from '../prometheus/exporter.ts';
import type { ParentState } from './parent-state.ts';

/** The parent writes to no socket. */
const NO_FLUSHES = { flushes: 0, writes: 0, bytes: 0, joined: 0, milliseconds: 0 };

/** The metrics of the parent and all workers as those of one node. */
export class GroupMetrics {
  readonly #parts: GroupMetricsParts;
  readonly #exporter: MetricsExporter;
  readonly #ended: Counter;

  constructor(parts: GroupMetricsParts) {
    const { apps, core, seats } = parts.state;
    this.#parts = parts;
    this.#exporter = new MetricsExporter({
      apps,
      metrics: parts.metrics,
      hub: seats,
      flushes: NO_FLUSHES,
      bufferedBytes: () => new Map(),
      webhooks: core.webhooks,
      isDegraded: parts.isDegraded,
      cluster: core.status.cluster,
      certificates: core.status.certificates,
    });
    const registers = [this.#exporter.registry];
    new Gauge({
      name: 'countersign_workers',
      help: 'Workers that run',
      registers,
      collect() {
        this.set(parts.workers().length);
      },
    });
    this.#ended = new Counter({
      name: 'countersign_workers_ended_total',
      help: 'Workers that ended without being asked to',
      registers,
    });
  }

  /** Counts a worker that ended unexpectedly. */
  workerEnded(): void {
    this.#ended.inc();
  }

  /** All metrics in the format of Prometheus, without those of workers that do not answer in time. */
  async text(): Promise<string> {
    const { registry, nodeMetrics, servingMetrics } = this.#exporter;
    const own = await registry.getMetricsAsJSON();
    const ofWorkers = await Promise.all(this.#parts.workers().map((worker) => this.#read(worker)));
    return AggregatorRegistry.aggregate([
      without(servingMetrics, own),
      ...ofWorkers.map((metrics) => without(nodeMetrics, metrics)),
    ]).metrics();
  }

  /** Stops the measurements. */
  close(): void {
    this.#exporter.close();
  }

  async #read(worker: MeasuredWorker): Promise<readonly MetricObject[]> {
    try {
      return await worker.metrics();
    } catch (error) {
      this.#parts.state.log.warn({ err: error, worker: worker.number }, 'worker left out of the metrics');
      return [];
    }
  }
}

export interface GroupMetricsParts {
  readonly state: ParentState;
  /** The parent's own counts. */
  readonly metrics: Metrics;
  /** The workers that run. */
  readonly workers: () => readonly MeasuredWorker[];
  /** Whether `GET /ready` answers `degraded`. */
  readonly isDegraded: () => boolean;
}

/** What {@link GroupMetrics} needs of a worker. */
export interface MeasuredWorker {
  readonly number: number;
  /** Its own metrics; rejects if they do not come in time. */
  metrics(): Promise<readonly MetricObject[]>;
}

function without(names: ReadonlySet<string>, metrics: readonly MetricObject[]): MetricObject[] {
  return metrics.filter(({ name }) => !names.has(name));
}
