import type { Figures } from './wire.ts';

/** What the app does at one moment, on all nodes together. */
export interface Point {
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  /** Per second, as the following ones. */
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly publishes: number;
  readonly refusals: number;
}

/** Points that are shown: two minutes of them. */
export const POINTS = 120;
/** Milliseconds after which a node that says nothing is gone. */
const GONE_MS = 5000;
const RATES = ['messagesIn', 'messagesOut', 'publishes', 'refusals'] as const;

interface Report {
  readonly figures: Figures;
  readonly point: Point;
}

/** Makes a series of points from what each node has counted. */
export class Series {
  readonly #nodes = new Map<string, Report>();
  points: readonly Point[] = [];

  /** The last report of each node. */
  get figures(): readonly Figures[] {
    return [...this.#nodes.values()].map(({ figures }) => figures);
  }

  /** Takes one report; a point is made when the first of the nodes has spoken again. */
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
