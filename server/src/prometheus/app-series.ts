import type { AppStore } from '../apps/app.ts';
import type { AppMetrics, Metrics } from '../metrics.ts';
import type { Series } from './registry.ts';

/** Reads series with a value for each app. */
export class AppSeries {
  readonly #apps: AppStore;
  readonly #metrics: Metrics;

  constructor(apps: AppStore, metrics: Metrics) {
    this.#apps = apps;
    this.#metrics = metrics;
  }

  /** One value for each app. */
  *each(read: (metrics: AppMetrics, app: string) => number): Series {
    for (const [app, metrics] of this.#all()) yield [{ app }, read(metrics, app)];
  }

  /** Several values for each app, told apart by a label. */
  *eachBy(
    label: string,
    read: (metrics: AppMetrics, app: string) => Iterable<readonly [string | number, number]>,
  ): Series {
    for (const [app, metrics] of this.#all())
      for (const [value, count] of read(metrics, app)) yield [{ app, [label]: value }, count];
  }

  /** Every app that ever had a value, and all present ones, so that their series begin at 0. */
  #all(): ReadonlyMap<string, AppMetrics> {
    for (const { id } of this.#apps.all()) this.#metrics.app(id);
    return this.#metrics.apps;
  }
}
