import { RANGES, type Range } from '../../../src/adapter/figure-ranges.ts';
import { KEPT, type KeptName, STATES } from '../../../src/console/figures/kept.ts';
import type { Figures, Past, PastStep } from './wire.ts';

/** The figures of the app at one moment, on all nodes together; counts are per second. */
export type Point = Readonly<Record<KeptName, number>> & {
  /** Unix milliseconds. */
  readonly at: number;
};

/** What the charts show: the last two minutes as the page saw them, or a time that the broker keeps. */
export type ChartRange = '2m' | Range;

/** Points that the page keeps: two minutes. */
const POINTS = 120;
/** Milliseconds without a report after which a node no longer counts. */
const GONE_MS = 5000;

/** How long a range is, and how far apart its points are, in milliseconds. */
export function extentOf(range: ChartRange): { readonly ms: number; readonly stepMs: number } {
  if (range === '2m') return { ms: POINTS * 1000, stepMs: 1000 };
  const { stepMs, steps } = RANGES[range];
  return { ms: steps * stepMs, stepMs };
}

interface Report {
  readonly figures: Figures;
  readonly point: Point;
}

/** The figures over time, summed over the reports of all nodes. */
export class Series {
  readonly #nodes = new Map<string, Report>();
  /** What each node keeps of the range that the page shows. */
  readonly #past = new Map<string, Past>();
  /** The last two minutes, a point for each second. */
  points: readonly Point[] = [];

  /** The last report of each node. */
  get figures(): readonly Figures[] {
    return [...this.#nodes.values()].map(({ figures }) => figures);
  }

  /** Adds one report. A new point is made each time that the first node reports. */
  add(figures: Figures): void {
    const before = this.#nodes.get(figures.node)?.figures;
    this.#nodes.set(figures.node, { figures, point: pointOf(figures, before) });
    for (const [node, report] of this.#nodes) {
      if (figures.at - report.figures.at > GONE_MS) this.#nodes.delete(node);
    }
    const [first] = this.#nodes.keys();
    if (figures.node !== first || !before) return;
    const points = [...this.#nodes.values()].map(({ point }) => point);
    this.points = [...this.points, points.reduce(add)].slice(-POINTS);
  }

  /** Takes what a node has kept, in place of what it has told before. */
  addPast(past: Past): void {
    this.#past.set(past.node, past);
    const { ms, stepMs } = extentOf(past.range);
    const ends = [...this.#past].map(([node, { steps }]) => [node, steps.at(-1)?.[0] ?? 0] as const);
    const newest = Math.max(...ends.map(([, end]) => end));
    for (const [node, end] of ends) if (end < newest - ms - stepMs) this.#past.delete(node);
  }

  /** The points of a range, the oldest first: those that the broker keeps, and the present one. */
  over(range: ChartRange): readonly Point[] {
    if (range === '2m') return this.points;
    const steps = new Map<number, Point>();
    for (const past of this.#past.values()) {
      if (past.range !== range) continue;
      for (const step of past.steps.map(readStep)) {
        const known = steps.get(step.at);
        steps.set(step.at, known ? add(known, step) : step);
      }
    }
    const points = [...steps.values()].sort((a, b) => a.at - b.at);
    const now = this.points.at(-1);
    return now ? [...points, now] : points;
  }
}

function pointOf(figures: Figures, before: Figures | undefined): Point {
  const seconds = before ? Math.max((figures.at - before.at) / 1000, 0.001) : Number.POSITIVE_INFINITY;
  return make(figures.at, (name, index) =>
    index < STATES ? figures[name] : Math.max(figures[name] - (before?.[name] ?? figures[name]), 0) / seconds,
  );
}

function readStep([at = 0, ...values]: PastStep): Point {
  return make(at, (_, index) => values[index] ?? 0);
}

function add(a: Point, b: Point): Point {
  return make(a.at, (name) => a[name] + b[name]);
}

function make(at: number, read: (name: KeptName, index: number) => number): Point {
  const entries = KEPT.map((name, index) => [name, read(name, index)] as const);
  return { at, ...(Object.fromEntries(entries) as Record<KeptName, number>) };
}
