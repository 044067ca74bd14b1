import { performance } from 'node:perf_hooks';
import type { AppFigures } from '../adapter/node-figures.ts';
import type { AppStore } from '../apps/app.ts';
import type { Metrics } from '../metrics.ts';

/** What an app had at one moment since this process started. */
interface Sample {
  readonly at: number;
  readonly messages: number;
  readonly deliveries: number;
  readonly requests: number;
}

const SAMPLE_MS = 1000;
/** Samples of each app; rates are those since the oldest. */
const SAMPLES = 5;

/** The figures of the apps in this process. The counters exist anyway: they are read once a second. */
export class Rates {
  readonly #apps: AppStore;
  readonly #metrics: Metrics;
  readonly #monotonic: () => number;
  readonly #now: () => number;
  readonly #samples = new Map<string, Sample[]>();
  readonly #timer: NodeJS.Timeout;
  #utilization = performance.eventLoopUtilization();
  #load = 0;

  constructor({ apps, metrics, monotonic, now }: RatesParts) {
    this.#apps = apps;
    this.#metrics = metrics;
    this.#monotonic = monotonic;
    this.#now = now;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  /** How busy the event loop was in the last second, from 0 to 1. */
  load(): number {
    return Math.round(this.#load * 1000) / 1000;
  }

  connections(): number {
    let sum = 0;
    for (const { connections } of this.#metrics.apps.values()) sum += connections;
    return sum;
  }

  /** Of those of these apps that are served here. */
  figures(appIds: readonly string[]): readonly AppFigures[] {
    return appIds.filter((id) => this.#apps.byId(id)).map((id) => this.#figures(id));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #figures(appId: string): AppFigures {
    const now = this.#of(appId);
    const [first] = this.#samples.get(appId) ?? [];
    const seconds = first ? Math.max((now.at - first.at) / 1000, SAMPLE_MS / 1000) : 1;
    const rate = (of: 'messages' | 'deliveries' | 'requests') =>
      first ? Math.round(((now[of] - first[of]) / seconds) * 10) / 10 : 0;
    return {
      appId,
      connections: this.#metrics.apps.get(appId)?.connections ?? 0,
      messagesPerSecond: rate('messages'),
      deliveriesPerSecond: rate('deliveries'),
      requestsPerSecond: rate('requests'),
    };
  }

  #sample(): void {
    const utilization = performance.eventLoopUtilization();
    this.#load = performance.eventLoopUtilization(utilization, this.#utilization).utilization;
    this.#utilization = utilization;
    for (const { id } of this.#apps.all()) {
      const samples = this.#samples.get(id) ?? [];
      this.#samples.set(id, [...samples.slice(1 - SAMPLES), this.#of(id)]);
    }
    for (const id of this.#samples.keys()) if (!this.#apps.byId(id)) this.#samples.delete(id);
  }

  #of(appId: string): Sample {
    // Not made here: what has counted nothing is on no page of metrics.
    const counts = this.#metrics.apps.get(appId);
    const app = this.#apps.byId(appId);
    const now = this.#now();
    const requests = (app?.keys ?? []).reduce(
      (sum, key) => sum + (app?.keyUses.of(key, now)?.requests ?? 0),
      0,
    );
    return {
      at: this.#monotonic(),
      messages: (counts?.publishes.get(200) ?? 0) + (counts?.clientEvents ?? 0),
      deliveries: counts?.deliveries ?? 0,
      requests,
    };
  }
}

export interface RatesParts {
  readonly apps: AppStore;
  readonly metrics: Metrics;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
  /** Unix milliseconds. */
  readonly now: () => number;
}
