import type { Metrics } from '../metrics.ts';
import { type Figures, figuresOf, NO_SUMS, quotaSums } from './figures.ts';
import type { Used } from './usage-store.ts';

const NOTHING = { sums: NO_SUMS, members: 0, historyBytes: 0 };

/** Reads what a process counts, once a second. The counters exist anyway, so what is counted pays nothing for it. */
export class Meter {
  readonly #metrics: Metrics;
  readonly #monotonic: () => number;
  readonly #before = new Map<string, Figures>();

  /** @param monotonic milliseconds of the clock by which connections are timed */
  constructor(metrics: Metrics, monotonic: () => number) {
    this.#metrics = metrics;
    this.#monotonic = monotonic;
  }

  /** What the process had used of quotas when the figures were read. */
  used(app: string): Used {
    return { app, ...quotaSums(this.#before.get(app)?.sums ?? NO_SUMS) };
  }

  /** The figures of the apps in which something has changed since they were read before, or something is there. */
  read(): Figures[] {
    const at = Math.floor(this.#monotonic());
    const changed: Figures[] = [];
    for (const [app, counts] of this.#metrics.apps) {
      const figures = figuresOf(app, counts, at);
      // An app that is new here and has done nothing gets no row.
      const before = this.#before.get(app) ?? NOTHING;
      const isUnchanged =
        figures.historyBytes === 0 &&
        before.historyBytes === 0 &&
        before.members === figures.members &&
        figures.sums.every((sum, index) => sum === before.sums[index]);
      if (isUnchanged) continue;
      this.#before.set(app, figures);
      changed.push(figures);
    }
    return changed;
  }
}

/** Calls something at the beginning of each second of the clock, so that what happened in a minute counts in it. */
export class EverySecond {
  readonly #now: () => number;
  readonly #work: () => void;
  #timer: NodeJS.Timeout;

  /** @param now Unix milliseconds */
  constructor(now: () => number, work: () => void) {
    this.#now = now;
    this.#work = work;
    this.#timer = this.#next();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #next(): NodeJS.Timeout {
    const left = 1000 - (Math.floor(this.#now()) % 1000);
    return setTimeout(() => {
      this.#timer = this.#next();
      this.#work();
    }, left).unref();
  }
}
