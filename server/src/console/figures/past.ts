import { RANGES, type Range } from '../../adapter/figure-ranges.ts';
import type { App, AppStore } from '../../apps/app.ts';
import type { Metrics } from '../../metrics.ts';
import { KEPT, STATES } from './kept.ts';
import { type AppStats, statsOf } from './stats.ts';
import { type PastStep, Track } from './track.ts';

/** Half of the shortest step, so that each step has a sample. */
const SAMPLE_MS = 5000;
/** Milliseconds after which all nodes have a sample of a step that has begun. */
const SETTLED_MS = 6000;
/** Apps whose past is kept: about 8 KB each. */
const MAX_APPS = 2000;
/** Milliseconds after which an app in which nothing happens is forgotten: the longest range. */
const IDLE_MS = 86_400_000;

/** The past of one app. */
interface Kept {
  readonly tracks: Readonly<Record<Range, Track>>;
  before: readonly number[];
  sampledAt: number;
  /** When something was last there, by the monotonic clock. */
  busyAt: number;
}

/** Keeps the figures of the apps in this process for the charts of the console, by reading their counters now and then. */
export class PastFigures {
  readonly #parts: PastParts;
  readonly #apps = new Map<string, Kept>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: PastParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS).unref();
  }

  /** The steps of a range, the oldest first; those of which nothing is known are left out. */
  of(app: App, range: Range): readonly PastStep[] {
    return this.#apps.get(app.id)?.tracks[range].read(this.#parts.now() - SETTLED_MS) ?? [];
  }

  /** Reads the counters of all apps. */
  #sample(): void {
    const { apps, metrics, now, monotonic } = this.#parts;
    const elapsed = monotonic();
    // What has counted nothing is not looked at.
    for (const appId of metrics.apps.keys()) {
      const app = apps.byId(appId);
      if (app) this.#add(app, statsOf(app, metrics, now()), elapsed);
    }
    for (const [appId, { busyAt }] of this.#apps) {
      if (elapsed - busyAt > IDLE_MS || !apps.byId(appId)) this.#apps.delete(appId);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #add({ id }: App, stats: AppStats, elapsed: number): void {
    const counts = KEPT.map((name) => stats[name]);
    const kept = this.#apps.get(id) ?? this.#begin(id, counts, elapsed);
    if (!kept) return;
    const seconds = Math.max((elapsed - kept.sampledAt) / 1000, 1);
    const sample = counts.map((count, index) =>
      index < STATES ? count : (count - kept.before[index]!) / seconds,
    );
    if (sample.some((value) => value > 0)) kept.busyAt = elapsed;
    kept.before = counts;
    kept.sampledAt = elapsed;
    for (const track of Object.values(kept.tracks)) track.add(this.#parts.now(), sample);
  }

  /** What it has counted before is of a time that is not known. @returns `undefined` if there are too many apps */
  #begin(appId: string, before: readonly number[], elapsed: number): Kept | undefined {
    if (this.#apps.size >= MAX_APPS) return undefined;
    const kept = {
      tracks: { '15m': new Track(RANGES['15m']), '24h': new Track(RANGES['24h']) },
      before,
      sampledAt: elapsed,
      busyAt: elapsed,
    };
    this.#apps.set(appId, kept);
    return kept;
  }
}

export interface PastParts {
  readonly apps: AppStore;
  readonly metrics: Metrics;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
}
