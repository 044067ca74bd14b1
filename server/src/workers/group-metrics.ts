import { AggregatorRegistry, Counter, Gauge, type MetricObject } from 'prom-client';
import type { Metrics } from '../metrics.ts';
import { MetricsExporter } from '../prometheus/exporter.ts';
import type { ParentState } from './parent-state.ts';

export interface GroupMetricsParts {
  readonly shared: ParentState;
  /** What the parent itself counts. */
  readonly metrics: Metrics;
  /** The workers that run. */
  readonly workers: () => readonly MeasuredWorker[];
  /** Whether `GET /ready` says so. */
  readonly isDegraded: () => boolean;
}

/** What {@link GroupMetrics} needs of a worker. */
export interface MeasuredWorker {
  readonly number: number;
  /** Its own metrics; rejects if they do not come in time. */
  metrics(): Promise<readonly MetricObject[]>;
}

/** A channel with subscribers on two workers is one channel, which only the parent can tell; so is how all of them stand. */
const OF_PARENT = new Set([
  'countersign_channels',
  'countersign_members',
  'countersign_degraded',
  'countersign_build_info',
]);
/** What the parent has of these no connection can use, so it would hide that the workers are full. */
const OF_WORKERS = new Set([
  'process_max_fds',
  'nodejs_heap_size_used_bytes',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_limit_bytes',
]);
/** The parent writes to no socket. */
const NO_FLUSHES = { flushes: 0, writes: 0, bytes: 0, joined: 0, milliseconds: 0 };

/** The metrics of the parent and all workers as those of one node. */
export class GroupMetrics {
  readonly #parts: GroupMetricsParts;
  readonly #exporter: MetricsExporter;
  readonly #ended: Counter;

  constructor(parts: GroupMetricsParts) {
    this.#parts = parts;
    this.#exporter = new MetricsExporter({
      apps: parts.shared.apps,
      metrics: parts.metrics,
      hub: { census: () => parts.shared.seats.census() },
      flushes: NO_FLUSHES,
      bufferedBytes: () => new Map(),
      webhookDeliveries: () => parts.shared.core.countDeliveries(),
      isDegraded: parts.isDegraded,
      cluster: parts.shared.core.cluster,
      certificates: parts.shared.core.certificates,
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

  /** Counts a worker that has ended without being asked to. */
  workerEnded(): void {
    this.#ended.inc();
  }

  /** All in the format of Prometheus; a worker that does not answer in time is left out. */
  async text(): Promise<string> {
    const own = await this.#exporter.registry.getMetricsAsJSON();
    const ofWorkers = await Promise.all(this.#parts.workers().map((worker) => this.#ask(worker)));
    return AggregatorRegistry.aggregate([
      without(OF_WORKERS, own),
      ...ofWorkers.map((metrics) => without(OF_PARENT, metrics)),
    ]).metrics();
  }

  /** Ends its observations. */
  close(): void {
    this.#exporter.close();
  }

  async #ask(worker: MeasuredWorker): Promise<readonly MetricObject[]> {
    try {
      return await worker.metrics();
    } catch (error) {
      this.#parts.shared.log.warn({ err: error, worker: worker.number }, 'worker left out of the metrics');
      return [];
    }
  }
}

function without(names: ReadonlySet<string>, metrics: readonly MetricObject[]): MetricObject[] {
  return metrics.filter(({ name }) => !names.has(name));
}
