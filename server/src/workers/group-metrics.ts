import type { Logger } from 'pino';
import { AggregatorRegistry, Counter, Gauge, type MetricObject } from 'prom-client';
import { appOfTopic, channelOfTopic } from '../adapter/adapter.ts';
import type { MemoryAdapter } from '../adapter/memory/adapter.ts';
import type { MemoryRoster } from '../adapter/memory/roster.ts';
import type { AppStore } from '../apps/app.ts';
import type { LocalCore } from '../core.ts';
import type { Census } from '../hub/hub.ts';
import { type Metrics, zeroOfEachKind } from '../hub/metrics.ts';
import { MetricsExporter } from '../ops/metrics.ts';
import { readChannel } from '../protocol/channel.ts';

export interface GroupMetricsParts {
  readonly apps: AppStore;
  /** What the parent itself counts. */
  readonly metrics: Metrics;
  readonly core: LocalCore<MemoryAdapter>;
  /** The workers that run. */
  readonly workers: () => readonly MeasuredWorker[];
  readonly log: Logger;
}

/** What {@link GroupMetrics} needs of a worker. */
export interface MeasuredWorker {
  readonly number: number;
  /** Its own metrics; rejects if they do not come in time. */
  metrics(): Promise<readonly MetricObject[]>;
}

/** A channel with subscribers on two workers is one channel, which only the parent can tell. */
const OF_PARENT = new Set(['countersign_channels', 'countersign_members', 'countersign_build_info']);
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
      apps: parts.apps,
      metrics: parts.metrics,
      hub: { census: () => takeCensus(parts.core.adapter.roster) },
      flushes: NO_FLUSHES,
      bufferedBytes: () => new Map(),
      webhookDeliveries: () => parts.core.countDeliveries(),
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
      this.#parts.log.warn({ err: error, worker: worker.number }, 'worker left out of the metrics');
      return [];
    }
  }
}

function without(names: ReadonlySet<string>, metrics: readonly MetricObject[]): MetricObject[] {
  return metrics.filter(({ name }) => !names.has(name));
}

/** Counts, by app id, what there is; it takes a look at each channel. */
function takeCensus(roster: MemoryRoster): ReadonlyMap<string, Census> {
  const apps = new Map<string, Census>();
  for (const [topic, { seats, members }] of roster.topics()) {
    const channel = seats.size > 0 && readChannel(channelOfTopic(topic));
    // Where signed-in users sit is no channel.
    if (!channel) continue;
    const appId = appOfTopic(topic);
    let app = apps.get(appId);
    if (!app) {
      app = { channels: zeroOfEachKind(), members: 0 };
      apps.set(appId, app);
    }
    app.channels[channel.kind] += 1;
    app.members += members?.size ?? 0;
  }
  return apps;
}
