import type { Figures } from './wire.ts';

/** The figures of the app at one moment, on all nodes together. */
export interface Point {
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  /** Per second, like those below. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly publishes: number;
  readonly refusals: number;
}

/** Points in a chart: two minutes. */
export const POINTS = 120;
/** Milliseconds without a report after which a node no longer counts. */
const GONE_MS = 5000;
const RATES = ['messagesIn', 'messagesOut', 'publishes', 'refusals'] as const;

interface Report {
  readonly figures: Figures;
  readonly point: Point;
}

/** The figures of the last two minutes, summed over the reports of all nodes. */
export class Series {
  readonly #nodes = new Map<string, Report>();
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
}

function pointOf(figures: Figures, before: Figures | undefined): Point {
  const seconds = before ? Math.max((figures.at - before.at) / 1000, 0.001) : Number.POSITIVE_INFINITY;
  const rate = (name: (typeof RATES)[number]) =>
    Math.max(figures[name] - (before?.[name] ?? figures[name]), 0) / seconds;
  return {
    connections: figures.connections,
    channels: figures.channels,
    subscriptions: figures.subscriptions,
    messagesIn: rate('messagesIn'),
    messagesOut: rate('messagesOut'),
    publishes: rate('publishes'),
    refusals: rate('refusals'),
  };
}

function add(a: Point, b: Point): Point {
  return {
    connections: a.connections + b.connections,
    channels: a.channels + b.channels,
    subscriptions: a.subscriptions + b.subscriptions,
    messagesIn: a.messagesIn + b.messagesIn,
    messagesOut: a.messagesOut + b.messagesOut,
    publishes: a.publishes + b.publishes,
    refusals: a.refusals + b.refusals,
  };
}
