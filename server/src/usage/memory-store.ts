import { addSums, maxPeaks, NO_PEAKS, NO_SUMS, quotaSums } from './figures.ts';
import { KEPT_MS, startOf, type Unit, units } from './period.ts';
import type {
  PushedRow,
  UsageBatch,
  UsageChange,
  UsageQuery,
  UsageRow,
  UsageStore,
  Used,
} from './usage-store.ts';

/** Rows that are kept; beyond them the oldest minutes go, then the oldest hours. */
const MAX_ROWS = 200_000;

type Periods = Map<number, Map<string, UsageRow>>;

/** The usage of a node without a data directory: it ends with the process. */
export class MemoryUsage implements UsageStore {
  readonly isShared = false;
  readonly writeMs = 1000;
  readonly #periods: Readonly<Record<Unit, Periods>> = {
    minute: new Map(),
    hour: new Map(),
    day: new Map(),
    month: new Map(),
  };
  readonly #onBound: () => void;
  readonly #maxRows: number;
  #rows = 0;
  #seq = 0;
  #pushed: PushedRow | undefined;
  /** The last period of each quota of which was warned. */
  readonly #warned = new Map<string, number>();

  /** @param onBound is told when rows go before their time */
  constructor(onBound: () => void, maxRows = MAX_ROWS) {
    this.#onBound = onBound;
    this.#maxRows = maxRows;
  }

  async begin(): Promise<void> {}

  async add({ seq, changes }: UsageBatch): Promise<void> {
    if (seq <= this.#seq) return;
    this.#seq = seq;
    for (const change of changes) {
      for (const unit of units) this.#add(unit, change);
    }
    const newest = changes.reduce((latest, { minute }) => Math.max(latest, minute), 0);
    for (const unit of units) this.#dropBefore(unit, newest - KEPT_MS[unit]);
    if (this.#rows > this.#maxRows) this.#shrink();
  }

  async rows({ unit, from, to, apps, after, limit }: UsageQuery): Promise<readonly UsageRow[]> {
    const found: UsageRow[] = [];
    const starts = [...this.#periods[unit].keys()].filter((start) => start >= from && start < to);
    for (const start of starts.sort((a, b) => a - b)) {
      if (after && start < after.from) continue;
      const rows = [...(this.#periods[unit].get(start)?.values() ?? [])]
        .filter(({ app }) => apps === undefined || apps.includes(app))
        .filter(({ app }) => start !== after?.from || app > after.app)
        .sort((a, b) => (a.app < b.app ? -1 : 1));
      found.push(...rows.slice(0, limit - found.length));
      if (found.length >= limit) break;
    }
    return found;
  }

  async used(apps: readonly string[], at: number): Promise<readonly Used[]> {
    const day = this.#periods.day.get(startOf('day', at));
    const month = this.#periods.month.get(startOf('month', at));
    return apps.map((app) => usedOf(app, day?.get(app), month?.get(app)));
  }

  async warn(app: string, quota: string, start: number): Promise<boolean> {
    const key = `${app} ${quota}`;
    if (this.#warned.get(key) === start) return false;
    this.#warned.set(key, start);
    return true;
  }

  async takePush(_node: string, start: PushedRow): Promise<PushedRow> {
    this.#pushed ??= start;
    return this.#pushed;
  }

  /** Nobody else wants the turn. */
  async leavePush(): Promise<void> {}

  async pushed(_node: string, row: PushedRow): Promise<void> {
    this.#pushed = row;
  }

  #add(unit: Unit, { app, minute, sums, peaks, isIncomplete }: UsageChange): void {
    const from = startOf(unit, minute);
    const rows = this.#periods[unit].get(from) ?? new Map<string, UsageRow>();
    this.#periods[unit].set(from, rows);
    const before = rows.get(app);
    if (!before) this.#rows += 1;
    rows.set(app, {
      app,
      from,
      sums: addSums(before?.sums ?? NO_SUMS, sums),
      peaks: maxPeaks(before?.peaks ?? NO_PEAKS, peaks),
      isIncomplete: isIncomplete || (before?.isIncomplete ?? false),
    });
  }

  #dropBefore(unit: Unit, before: number): void {
    for (const start of this.#periods[unit].keys()) if (start < before) this.#drop(unit, start);
  }

  #drop(unit: Unit, start: number): void {
    this.#rows -= this.#periods[unit].get(start)?.size ?? 0;
    this.#periods[unit].delete(start);
  }

  #shrink(): void {
    this.#onBound();
    for (const unit of units) {
      for (const start of [...this.#periods[unit].keys()].sort((a, b) => a - b)) {
        // A tenth at once, so that the bound is not reached again with the next row.
        if (this.#rows <= this.#maxRows * 0.9) return;
        this.#drop(unit, start);
      }
    }
  }
}

/** What an app has used, by the rows of its day and its month. */
export function usedOf(
  app: string,
  day: Pick<UsageRow, 'sums'> | undefined,
  month: Pick<UsageRow, 'sums'> | undefined,
): Used {
  const { messages } = quotaSums(day?.sums ?? NO_SUMS);
  const { connectionMs } = quotaSums(month?.sums ?? NO_SUMS);
  return { app, messages, connectionMs };
}
