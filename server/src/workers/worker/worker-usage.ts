import type { Metrics } from '../../metrics.ts';
import { EverySecond, Meter } from '../../usage/meter.ts';
import { Quotas } from '../../usage/quotas.ts';
import type { ParentApi } from '../protocol.ts';
import type { Rpc } from '../rpc/rpc.ts';

/** Tells the parent once a second what the worker has counted, and learns from it what all have used of quotas. */
export class WorkerUsage {
  readonly quotas: Quotas;
  readonly #parent: Rpc<ParentApi>;
  readonly #meter: Meter;
  readonly #clock: EverySecond;
  #telling: Promise<void> | undefined;

  constructor(parent: Rpc<ParentApi>, metrics: Metrics) {
    const monotonic = () => performance.now();
    this.#parent = parent;
    this.quotas = new Quotas(metrics, monotonic);
    this.#meter = new Meter(metrics, monotonic);
    // Reports do not overtake each other: an answer is about the last report.
    this.#clock = new EverySecond(Date.now, () => {
      if (this.#telling) return;
      // Reports are sums since the start, so nothing is lost when the parent does not answer.
      this.#telling = this.#tell()
        .catch(() => {})
        .finally(() => {
          this.#telling = undefined;
        });
    });
  }

  async tell(): Promise<void> {
    await this.#telling;
    await this.#tell();
  }

  close(): void {
    this.#clock.close();
  }

  async #tell(): Promise<void> {
    const used = await this.#parent.call('usage', 'take', [this.#meter.read()]);
    this.quotas.update(used, (app) => this.#meter.used(app));
  }
}
