import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { Distribution } from './distribution.ts';

type Labels = Readonly<Record<string, string | number>>;

/** The series of one metric, each with its value. */
export type Series = Iterable<readonly [Labels, number]>;

const PREFIX = 'countersign_';

export interface GaugeOptions {
  /** How the values of several processes become one. @default "sum" */
  readonly aggregator?: 'sum' | 'min';
  /** `node`: only the node as a whole can measure it, so with workers the parent does. @default "process" */
  readonly scope?: 'process' | 'node';
}

/** The metrics of a process. Gauges and counters cost nothing until they are scraped: their values are read then. */
export class MetricsRegistry {
  readonly registry = new Registry();
  /** Names of the metrics that only the node as a whole can measure. */
  readonly nodeMetrics = new Set<string>();

  /** A value that goes up and down. */
  gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: () => Series,
    { aggregator = 'sum', scope = 'process' }: GaugeOptions = {},
  ): void {
    const description = this.#description(name, help);
    if (scope === 'node') this.nodeMetrics.add(description.name);
    new Gauge({
      ...description,
      labelNames,
      aggregator,
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** A value that only goes up. */
  counter(name: string, help: string, labelNames: string[], read: () => Series): void {
    new Counter({
      ...this.#description(name, help),
      labelNames,
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  /** Counts observations by size. */
  histogram(name: string, help: string, bounds: readonly number[]): Distribution {
    const distribution = new Distribution(PREFIX + name, help, bounds);
    // A registry reads the name, and calls `get` when it is scraped; the types name the classes of prom-client only.
    this.registry.registerMetric(distribution as unknown as Metric);
    return distribution;
  }

  #description(name: string, help: string) {
    return { name: PREFIX + name, help, registers: [this.registry] };
  }
}

/** The series of a metric without labels. */
export function only(value: number): Series {
  return [[{}, value]];
}
