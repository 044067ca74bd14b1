import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { App, AppStore } from '../apps/app.ts';
import { OutageLog } from '../log/outage-log.ts';
import type { Metrics } from '../metrics.ts';
import { reached } from '../metrics.ts';
import {
  addSums,
  type Figures,
  maxPeaks,
  NO_PEAKS,
  NO_SUMS,
  type Peaks,
  quotaSums,
  type Sums,
} from './figures.ts';
import { EverySecond, Meter } from './meter.ts';
import { startOf } from './period.ts';
import { type Quotas, type QuotaUse, quotaUses } from './quotas.ts';
import type {
  UsageBatch,
  UsageChange,
  UsageQuery,
  UsageReader,
  UsageRow,
  UsageStore,
  Used,
} from './usage-store.ts';

export interface LedgerParts {
  readonly store: UsageStore;
  readonly apps: AppStore;
  /** Of the process that has the ledger. */
  readonly quotas: Quotas;
  /** Is told once for each period that an app has used most of a quota, on one node. */
  readonly onWarning: (app: string, use: QuotaUse) => void;
  /** Of the process that has the ledger. */
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly monotonic: () => number;
}

/** Changes of one batch, so that none keeps Redis or the disk for long. */
const BATCH_CHANGES = 200;
/** Changes that wait while nothing can be written; beyond it minutes of an app are put together. */
const MAX_WAITING = 20_000;
/** The part of a quota from which on it is warned of. */
const WARNING = 0.8;

/** What one process of the node has counted up to now. */
interface Source {
  /** When it was read before. */
  at: number;
  readonly apps: Map<string, Figures>;
  /** The apps of which it told then. */
  recent: readonly string[];
}

interface Waiting {
  sums: Sums;
  peaks: Peaks;
  isIncomplete: boolean;
}

/**
 * What the processes of a node use, on its way to the rows: gathered once a second, and written every few seconds. What was
 * not written when the node is killed is lost, and its rows say so.
 */
export class Ledger implements UsageReader {
  readonly #parts: LedgerParts;
  readonly #node = randomBytes(9).toString('base64url');
  readonly #meter: Meter;
  readonly #clock: EverySecond;
  readonly #outage: OutageLog;
  readonly #sources = new Map<object, Source>();
  /** By app and minute. */
  readonly #waiting = new Map<string, Map<number, Waiting>>();
  #waitingChanges = 0;
  /** A batch that may have been added already. */
  #batch: UsageBatch | undefined;
  #seq = 0;
  #writing: Promise<void> | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #isBegun = false;
  #isBounded = false;
  /** What the apps that have quotas have used, over all nodes, as far as this one knows. */
  #used = new Map<string, Used>();
  #usedAt: number;
  /** The period of each quota of which was warned. */
  readonly #warned = new Map<string, number>();

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    this.#usedAt = parts.now();
    this.#meter = new Meter(parts.metrics, parts.monotonic);
    this.#outage = new OutageLog(
      parts.log,
      'usage cannot be written: it is kept in memory meanwhile',
      'usage is written again',
    );
    this.#clock = new EverySecond(parts.now, () => this.#tick());
    this.take(this, []);
  }

  /** Marks what died before; what cannot be done now is done before the first write. */
  async start(): Promise<void> {
    try {
      await this.#begin();
      await this.#refresh();
      this.#tellQuotas();
    } catch (error) {
      this.#outage.failed(error);
    }
  }

  /**
   * Takes over what a process has counted since it started. To take the same twice changes nothing.
   *
   * @param source the process
   * @returns what the apps that have quotas have used, over all nodes
   */
  take(source: object, figures: readonly Figures[]): readonly Used[] {
    const now = this.#parts.now();
    let known = this.#sources.get(source);
    if (!known) {
      known = { at: now, apps: new Map(), recent: [] };
      this.#sources.set(source, known);
    }
    // What was counted since the last look belongs to the minute of that look.
    const minute = startOf('minute', known.at);
    known.at = now;
    known.recent = figures.map(({ app }) => app);
    for (const each of figures) {
      const before = known.apps.get(each.app);
      known.apps.set(each.app, each);
      const waiting = this.#waitingOf(each.app, minute);
      const news = minus(each.sums, before?.sums);
      waiting.sums = addSums(waiting.sums, news);
      this.#notePeaks(each.app, waiting);
      const used = this.#used.get(each.app);
      if (used) this.#used.set(each.app, plus(used, news));
    }
    return [...this.#used.values()];
  }

  /**
   * A process has ended.
   *
   * @param isLost it was killed, so that what it counted last is missing
   */
  ended(source: object, isLost: boolean): void {
    const known = this.#sources.get(source);
    this.#sources.delete(source);
    if (!known || !isLost) return;
    const minute = startOf('minute', known.at);
    for (const app of known.recent) this.#waitingOf(app, minute).isIncomplete = true;
  }

  /** Whether something from before a time waits to be written. */
  isBehind(before: number): boolean {
    for (const minutes of this.#waiting.values())
      for (const minute of minutes.keys()) if (minute < before) return true;
    return (this.#batch?.changes ?? []).some(({ minute }) => minute < before);
  }

  rows(query: UsageQuery): Promise<readonly UsageRow[]> {
    return this.#parts.store.rows(query);
  }

  used(apps: readonly string[], at: number): Promise<readonly Used[]> {
    return this.#parts.store.used(apps, at);
  }

  /** Writes what there is. */
  async close(): Promise<void> {
    this.#clock.close();
    this.take(this, this.#meter.read());
    await this.#writing;
    await this.#write(true);
  }

  #tick(): void {
    this.#turnOver();
    this.take(this, this.#meter.read());
    this.#tellQuotas();
    this.#warn();
    const { store, monotonic } = this.#parts;
    if (this.#writing || monotonic() - this.#writtenAt < store.writeMs - 500) return;
    this.#writtenAt = monotonic();
    this.#writing = this.#write(false).finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(isLast: boolean): Promise<void> {
    const { store } = this.#parts;
    try {
      await this.#begin();
      if (this.#batch) await store.add(this.#batch);
      this.#batch = undefined;
      let changes = this.#takeChanges();
      while (changes.length > 0 || isLast || store.isShared) {
        this.#seq += 1;
        const rest = this.#waitingChanges > 0;
        this.#batch = { node: this.#node, seq: this.#seq, changes, isLast: isLast && !rest };
        await store.add(this.#batch);
        this.#batch = undefined;
        if (!rest) break;
        changes = this.#takeChanges();
      }
      if (!isLast) await this.#refresh();
      this.#outage.succeeded();
    } catch (error) {
      this.#outage.failed(error);
    }
  }

  /** Reads what the apps that have quotas have used on all nodes. */
  async #refresh(): Promise<void> {
    const { apps, store, now } = this.#parts;
    const limited: string[] = [];
    for (const app of apps.all()) if (hasQuota(app)) limited.push(app.id);
    const at = now();
    const used = limited.length === 0 ? [] : await store.used(limited, at);
    // What is not written yet is in no row.
    this.#used = new Map(used.map((each) => [each.app, this.#plusWaiting(each, at)]));
  }

  #plusWaiting(used: Used, at: number): Used {
    let sum = used;
    for (const [minute, { sums }] of this.#waiting.get(used.app) ?? []) {
      const { messages, connectionMs } = plus(sum, sums);
      sum = {
        app: used.app,
        messages: minute < startOf('day', at) ? sum.messages : messages,
        connectionMs: minute < startOf('month', at) ? sum.connectionMs : connectionMs,
      };
    }
    return sum;
  }

  /** A new day, and a new month, begin with nothing used. */
  #turnOver(): void {
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

  #tellQuotas(): void {
    this.#parts.quotas.update([...this.#used.values()], (app) => this.#meter.used(app));
  }

  #warn(): void {
    const { apps, now } = this.#parts;
    for (const used of this.#used.values()) {
      const app = apps.byId(used.app);
      for (const use of app ? quotaUses(app, used, now()) : []) {
        const key = `${used.app} ${use.quota}`;
        if (use.used < use.limit * WARNING || this.#warned.get(key) === use.start) continue;
        this.#warned.set(key, use.start);
        this.#warnOf(used.app, use).catch((error: unknown) => {
          this.#warned.delete(key);
          this.#outage.failed(error);
        });
      }
    }
  }

  async #warnOf(app: string, use: QuotaUse): Promise<void> {
    const { store, onWarning } = this.#parts;
    if (await store.warn(app, use.quota, use.start)) onWarning(app, use);
  }

  async #begin(): Promise<void> {
    if (!this.#isBegun) await this.#parts.store.begin(this.#node);
    this.#isBegun = true;
  }

  #takeChanges(): UsageChange[] {
    const changes: UsageChange[] = [];
    for (const [app, minutes] of this.#waiting) {
      const { connections, members } = this.#present(app);
      for (const [minute, waiting] of minutes) {
        if (changes.length === BATCH_CHANGES) return changes;
        changes.push({ app, minute, connections, members, ...waiting });
        minutes.delete(minute);
        this.#waitingChanges -= 1;
      }
      this.#waiting.delete(app);
    }
    this.#isBounded = false;
    return changes;
  }

  #waitingOf(app: string, minute: number): Waiting {
    let minutes = this.#waiting.get(app);
    if (!minutes) {
      minutes = new Map();
      this.#waiting.set(app, minutes);
    }
    let waiting = minutes.get(minute);
    if (!waiting && this.#waitingChanges >= MAX_WAITING) {
      waiting = [...minutes.values()].at(-1);
      if (!this.#isBounded) reached(this.#parts.metrics, this.#parts.log, 'usage_waiting');
      this.#isBounded = true;
    }
    if (!waiting) {
      waiting = { sums: NO_SUMS, peaks: NO_PEAKS, isIncomplete: false };
      minutes.set(minute, waiting);
      this.#waitingChanges += 1;
    }
    return waiting;
  }

  #notePeaks(app: string, waiting: Waiting): void {
    const { connections, members, historyBytes } = this.#present(app);
    waiting.peaks = maxPeaks(waiting.peaks, [connections, members, historyBytes]);
  }

  /** What an app has now in all processes of the node. */
  #present(app: string): Pick<Figures, 'connections' | 'members' | 'historyBytes'> {
    let connections = 0;
    let members = 0;
    let historyBytes = 0;
    for (const { apps } of this.#sources.values()) {
      const figures = apps.get(app);
      if (!figures) continue;
      connections += figures.connections;
      members += figures.members;
      historyBytes = Math.max(historyBytes, figures.historyBytes);
    }
    return { connections, members, historyBytes };
  }
}

/** @param news what was counted beyond it */
function plus({ app, messages, connectionMs }: Used, news: Sums): Used {
  const more = quotaSums(news);
  return { app, messages: messages + more.messages, connectionMs: connectionMs + more.connectionMs };
}

function hasQuota({ limits }: App): boolean {
  return limits.messagesPerDay !== null || limits.connectionMinutesPerMonth !== null;
}

function minus(sums: Sums, before: Sums = NO_SUMS): Sums {
  return sums.map((sum, index) => sum - (before[index] ?? 0));
}
