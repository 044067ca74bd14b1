import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { OutageLog } from '../log/outage-log.ts';
import { type Metrics, reached } from '../metrics.ts';
import { addSums, type Figures, maxPeaks, NO_SUMS, type Sums } from './figures.ts';
import { EverySecond, Meter } from './meter.ts';
import { startOf } from './period.ts';
import { QuotaWatch, type QuotaWatchParts } from './quota-watch.ts';
import type { Quotas } from './quotas.ts';
import type { UsageBatch, UsageChange, UsageQuery, UsageReader, UsageRow, Used } from './usage-store.ts';
import { type Waiting, WaitingMinutes } from './waiting-minutes.ts';

export interface LedgerParts extends QuotaWatchParts {
  /** Of the process that has the ledger. */
  readonly quotas: Quotas;
  /** Of the process that has the ledger. */
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly monotonic: () => number;
}

/** Changes of one batch, so that none keeps Redis or the disk for long. */
const BATCH_CHANGES = 200;

/** What one process of the node has counted up to now. */
interface Source {
  /** When it was read before. */
  at: number;
  readonly apps: Map<string, Figures>;
  /** The apps of which it told then. */
  recent: readonly string[];
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
  readonly #waiting: WaitingMinutes;
  readonly #watch: QuotaWatch;
  /** A batch that may have been added already. */
  #batch: UsageBatch | undefined;
  #seq = 0;
  #writing: Promise<void> | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #isBegun = false;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    this.#meter = new Meter(parts.metrics, parts.monotonic);
    this.#outage = new OutageLog(
      parts.log,
      'usage cannot be written: it is kept in memory meanwhile',
      'usage is written again',
    );
    this.#waiting = new WaitingMinutes(() => reached(parts.metrics, parts.log, 'usage_waiting'));
    this.#watch = new QuotaWatch(parts, (error) => this.#outage.failed(error));
    this.#clock = new EverySecond(parts.now, () => this.#tick());
    this.take(this, []);
  }

  /** Marks what died before; what cannot be done now is done before the first write. */
  async start(): Promise<void> {
    try {
      await this.#begin();
      await this.#watch.refresh(this.#waiting);
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
      const waiting = this.#waiting.of(each.app, minute);
      const news = minus(each.sums, before?.sums);
      waiting.sums = addSums(waiting.sums, news);
      this.#notePeaks(each.app, waiting);
      this.#watch.count(each.app, news);
    }
    return this.#watch.used;
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
    for (const app of known.recent) this.#waiting.of(app, minute).isIncomplete = true;
  }

  /** Whether something from before a time waits to be written. */
  isBehind(before: number): boolean {
    if (this.#waiting.hasBefore(before)) return true;
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
    this.#watch.turnOver();
    this.take(this, this.#meter.read());
    this.#tellQuotas();
    this.#watch.warn();
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
        const rest = this.#waiting.size > 0;
        this.#batch = { node: this.#node, seq: this.#seq, changes, isLast: isLast && !rest };
        await store.add(this.#batch);
        this.#batch = undefined;
        if (!rest) break;
        changes = this.#takeChanges();
      }
      if (!isLast) await this.#watch.refresh(this.#waiting);
      this.#outage.succeeded();
    } catch (error) {
      this.#outage.failed(error);
    }
  }

  #tellQuotas(): void {
    this.#parts.quotas.update(this.#watch.used, (app) => this.#meter.used(app));
  }

  async #begin(): Promise<void> {
    if (!this.#isBegun) await this.#parts.store.begin(this.#node);
    this.#isBegun = true;
  }

  #takeChanges(): UsageChange[] {
    return this.#waiting.take(BATCH_CHANGES).map(({ app, ...change }) => {
      const { connections, members } = this.#present(app);
      return { app, connections, members, ...change };
    });
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

function minus(sums: Sums, before: Sums = NO_SUMS): Sums {
  return sums.map((sum, index) => sum - (before[index] ?? 0));
}
