import type { App, AppStore } from '../apps/app.ts';
import { quotaSums, type Sums } from './figures.ts';
import { startOf } from './period.ts';
import { type QuotaUse, quotaUses } from './quotas.ts';
import type { UsageStore, Used } from './usage-store.ts';
import type { WaitingMinutes } from './waiting-minutes.ts';

export interface QuotaWatchParts {
  readonly store: UsageStore;
  readonly apps: AppStore;
  /** Is told once for each period that an app has used most of a quota, on one node. */
  readonly onWarning: (app: string, use: QuotaUse) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** The part of a quota from which on it is warned of. */
const WARNING = 0.8;

/** What the apps that have quotas have used, over all nodes, as far as this one knows. */
export class QuotaWatch {
  readonly #parts: QuotaWatchParts;
  readonly #onFailure: (error: unknown) => void;
  #used = new Map<string, Used>();
  #usedAt: number;
  /** The period of each quota of which was warned. */
  readonly #warned = new Map<string, number>();

  /** @param onFailure is told if the store failed, which is asked again */
  constructor(parts: QuotaWatchParts, onFailure: (error: unknown) => void) {
    this.#parts = parts;
    this.#onFailure = onFailure;
    this.#usedAt = parts.now();
  }

  get used(): readonly Used[] {
    return [...this.#used.values()];
  }

  /** Adds what this node has counted. */
  count(app: string, news: Sums): void {
    const used = this.#used.get(app);
    if (used) this.#used.set(app, plus(used, news));
  }

  /** Reads what all nodes have written, to which comes what waits here. */
  async refresh(waiting: WaitingMinutes): Promise<void> {
    const { apps, store, now } = this.#parts;
    const limited: string[] = [];
    for (const app of apps.all()) if (hasQuota(app)) limited.push(app.id);
    const at = now();
    const used = limited.length === 0 ? [] : await store.used(limited, at);
    this.#used = new Map(used.map((each) => [each.app, plusWaiting(each, waiting, at)]));
  }

  /** A new day, and a new month, begin with nothing used. */
  turnOver(): void {
    const now = this.#parts.now();
    const isNewMonth = startOf('month', now) !== startOf('month', this.#usedAt);
    if (startOf('day', now) !== startOf('day', this.#usedAt)) {
      for (const [app, { connectionMs }] of this.#used) {
        this.#used.set(app, { app, messages: 0, connectionMs: isNewMonth ? 0 : connectionMs });
      }
      this.#warned.clear();
    }
    this.#usedAt = now;
  }

  warn(): void {
    const { apps, now } = this.#parts;
    for (const used of this.#used.values()) {
      const app = apps.byId(used.app);
      for (const use of app ? quotaUses(app, used, now()) : []) {
        const key = `${used.app} ${use.quota}`;
        if (use.used < use.limit * WARNING || this.#warned.get(key) === use.start) continue;
        this.#warned.set(key, use.start);
        this.#warnOf(used.app, use).catch((error: unknown) => {
          this.#warned.delete(key);
          this.#onFailure(error);
        });
      }
    }
  }

  async #warnOf(app: string, use: QuotaUse): Promise<void> {
    const { store, onWarning } = this.#parts;
    if (await store.warn(app, use.quota, use.start)) onWarning(app, use);
  }
}

function plusWaiting(used: Used, waiting: WaitingMinutes, at: number): Used {
  let sum = used;
  for (const [minute, { sums }] of waiting.minutesOf(used.app)) {
    const { messages, connectionMs } = plus(sum, sums);
    sum = {
      app: used.app,
      messages: minute < startOf('day', at) ? sum.messages : messages,
      connectionMs: minute < startOf('month', at) ? sum.connectionMs : connectionMs,
    };
  }
  return sum;
}

/** @param news what was counted beyond it */
function plus({ app, messages, connectionMs }: Used, news: Sums): Used {
  const more = quotaSums(news);
  return { app, messages: messages + more.messages, connectionMs: connectionMs + more.connectionMs };
}

function hasQuota({ limits }: App): boolean {
  return limits.messagesPerDay !== null || limits.connectionMinutesPerMonth !== null;
}
