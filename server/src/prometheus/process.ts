import { monitorEventLoopDelay } from 'node:perf_hooks';
import { cpuUsage, memoryUsage, version } from 'node:process';
import { getHeapStatistics } from 'node:v8';
import { Counter, Gauge, type Registry } from 'prom-client';
import { openFilesLimit } from '../http/sockets/open-files.ts';

/** Milliseconds between two samples of the event loop. The measured delay includes them. */
const RESOLUTION_MS = 20;

/**
 * Metrics of the process: event loop, memory, CPU. Except for the event loop, their names are those of prom-client's
 * default metrics, which cannot be stopped. Garbage collections are left out: node would record an entry for each, which
 * costs a tenth of a publish, and their cost shows in the delay of the event loop.
 */
export class ProcessMetrics {
  readonly nodeVersion = version;
  /** Names of the metrics that matter only in processes that serve connections: the parent of workers has none. */
  readonly servingMetrics = new Set<string>();
  readonly #eventLoop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor(registry: Registry) {
    const registers = [registry];
    this.#eventLoop.enable();
    this.#addEventLoopDelay(registers);

    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge('process_resident_memory_bytes', 'Resident memory', () => memoryUsage.rss());
    // The parent of workers has room here that no connection can use: added up it would hide that the workers are full.
    const servingGauge = (name: string, help: string, read: () => number): void => {
      this.servingMetrics.add(name);
      gauge(name, help, read);
    };
    servingGauge('nodejs_heap_size_used_bytes', 'Heap in use', () => getHeapStatistics().used_heap_size);
    servingGauge('nodejs_heap_size_total_bytes', 'Heap that is reserved', () => {
      return getHeapStatistics().total_heap_size;
    });
    servingGauge(
      'nodejs_heap_size_limit_bytes',
      'Heap at which the process ends',
      () => getHeapStatistics().heap_size_limit,
    );
    gauge('nodejs_external_memory_bytes', 'Memory outside of the heap that objects of the heap hold', () => {
      return getHeapStatistics().external_memory;
    });
    servingGauge(
      'process_max_fds',
      'File descriptors that the process may have open; each connection takes one',
      () => openFilesLimit()?.soft ?? Number.NaN,
    );
    new Counter({
      name: 'process_cpu_seconds_total',
      help: 'CPU time, user and system',
      registers,
      collect() {
        const { user, system } = cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    });
  }

  /** Stops the measurement. */
  close(): void {
    this.#eventLoop.disable();
  }

  #addEventLoopDelay(registers: Registry[]): void {
    const eventLoop = this.#eventLoop;
    new Gauge({
      name: 'countersign_event_loop_delay_seconds',
      help: 'How much later than planned the event loop came to its timers, since the last scrape',
      labelNames: ['quantile'],
      // The worst of several processes counts.
      aggregator: 'max',
      registers,
      collect() {
        for (const quantile of [0.5, 0.99, 1]) {
          const milliseconds = eventLoop.percentile(quantile * 100) / 1e6 - RESOLUTION_MS;
          this.set({ quantile }, Math.max(0, milliseconds) / 1000);
        }
        eventLoop.reset();
      },
    });
  }
}
