import { Counter, Gauge, Histogram, Registry } from 'prom-client';

type Labels = Readonly<Record<string, string | number>>;

/** The series of one metric, each with its value. */
export type Series = Iterable<readonly [Labels, number]>;

const PREFIX = 'countersign_';

/** What Prometheus is told. Gauges and counters cost nothing until somebody asks: their figures are read then. */
export class MetricsRegistry {
  readonly registry = new Registry();

  /**
   * A figure that goes up and down.
   *
   * @param aggregator what the figures of several processes are together
   */
  gauge(
    name: string,
    help: string,
    labelNames: string[],
    read: () => Series,
    aggregator: 'sum' | 'min' = 'sum',
  ): void {
    new Gauge({
      ...this.#description(name, help),
      labelNames,
      aggregator,
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** A figure that only goes up. */
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

  /** How many observations are at most as large as each of the buckets. */
  histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ ...this.#description(name, help), buckets });
  }

  #description(name: string, help: string) {
    return { name: PREFIX + name, help, registers: [this.registry] };
  }
}

/** The series of a metric without labels. */
export function only(value: number): Series {
  return [[{}, value]];
}
