/**
 * A histogram without labels whose counts are plain numbers, read when Prometheus scrapes them. Prom-client's own hashes
 * its labels at each observation, which shows in the profile of a busy write queue.
 */
export class Distribution {
  readonly #bounds: readonly number[];
  /** Observations up to each bound that are above the one before, and in the last place those above all. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(
    readonly name: string,
    readonly help: string,
    bounds: readonly number[],
  ) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket += 1;
    this.#counts[bucket]! += 1;
    this.#sum += value;
  }

  /** Returns what a registry of prom-client expects of a metric. */
  async get(): Promise<object> {
    const { name, help } = this;
    let total = 0;
    const values: object[] = [...this.#bounds, '+Inf'].map((le, index) => {
      total += this.#counts[index]!;
      return { metricName: `${name}_bucket`, labels: { le }, value: total };
    });
    values.push({ metricName: `${name}_sum`, labels: {}, value: this.#sum });
    values.push({ metricName: `${name}_count`, labels: {}, value: total });
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}
