import type { App } from '../apps/app.ts';
import type { Metrics } from '../metrics.ts';
import { startOf } from './period.ts';
import type { Used } from './usage-store.ts';

/**
 * What apps may still use, as this process knows it: what all processes had used a second ago, and what it has used itself
 * since. An app without a quota costs one comparison.
 */
export class Quotas {
  readonly #metrics: Metrics;
  readonly #monotonic: () => number;
  /** What all have used beside this process, by app. */
  #others: ReadonlyMap<string, Used> = new Map();

  /** @param monotonic milliseconds of the clock by which connections are timed */
  constructor(metrics: Metrics, monotonic: () => number) {
    this.#metrics = metrics;
    this.#monotonic = monotonic;
  }

  /** What this process has used since it started. */
  own(app: string): Used {
    const counts = this.#metrics.apps.get(app);
    if (!counts) return { app, messages: 0, connectionMs: 0 };
    const { usage, clientEvents, connections } = counts;
    return {
      app,
      messages: usage.published + clientEvents,
      connectionMs: usage.endedMs + connections * this.#monotonic() - usage.openedAt,
    };
  }

  /**
   * Takes over what all processes have used.
   *
   * @param own what this process had used when it was told to them
   */
  update(used: readonly Used[], own: (app: string) => Used): void {
    this.#others = new Map(
      used.map(({ app, messages, connectionMs }) => {
        const mine = own(app);
        return [
          app,
          { app, messages: messages - mine.messages, connectionMs: connectionMs - mine.connectionMs },
        ];
      }),
    );
  }

  /** Whether an app may publish so many messages more today. */
  allowsMessages({ id, limits }: App, count: number): boolean {
    const { messagesPerDay: limit } = limits;
    if (limit === null) return true;
    return (this.#others.get(id)?.messages ?? 0) + this.own(id).messages + count <= limit;
  }

  /** Whether an app may have a new connection this month. */
  allowsConnection({ id, limits }: App): boolean {
    const { connectionMinutesPerMonth: limit } = limits;
    if (limit === null) return true;
    const others = this.#others.get(id)?.connectionMs ?? 0;
    return others + this.own(id).connectionMs < limit * MS_PER_MINUTE;
  }
}

const MS_PER_MINUTE = 60_000;

/** A quota of an app, and how much of it is used. */
export interface QuotaUse {
  readonly quota: 'messagesPerDay' | 'connectionMinutesPerMonth';
  readonly limit: number;
  readonly used: number;
  /** The first millisecond of its period. */
  readonly start: number;
}

/** How the quotas of an app stand, of those that it has. */
export function quotaUses({ limits }: App, { messages, connectionMs }: Used, now: number): QuotaUse[] {
  const { messagesPerDay, connectionMinutesPerMonth } = limits;
  const uses: QuotaUse[] = [];
  if (messagesPerDay !== null) {
    const start = startOf('day', now);
    uses.push({ quota: 'messagesPerDay', limit: messagesPerDay, used: messages, start });
  }
  if (connectionMinutesPerMonth !== null) {
    uses.push({
      quota: 'connectionMinutesPerMonth',
      limit: connectionMinutesPerMonth,
      used: Math.floor(connectionMs / MS_PER_MINUTE),
      start: startOf('month', now),
    });
  }
  return uses;
}
