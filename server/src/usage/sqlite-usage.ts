import type { Database, Statement } from '../data/database.ts';
import { peakNames, sumNames } from './figures.ts';
import { usedOf } from './memory-store.ts';
import { KEPT_MS, startOf, type Unit, units } from './period.ts';
import type { PushedRow, UsageBatch, UsageChange, UsageQuery, UsageRow, Used } from './usage-store.ts';

const COLUMNS = [...sumNames, ...peakNames];
const PER_SWEEP = 1000;

type Kept = Readonly<Record<string, number>> & { readonly app: string; readonly start: number };

/** Usage in the data file. Its calls block, so they are made by the thread that has the file open. */
export class SqliteUsage {
  readonly #add: Statement<(string | number)[], never>;
  readonly #node: Statement<[string], { readonly seq: number }>;
  readonly #setNode: Statement<[string, number, number], never>;
  readonly #endNode: Statement<[string], never>;
  readonly #others: Statement<[string], { readonly node: string; readonly minute: number }>;
  readonly #mark: Statement<[string, number], never>;
  readonly #sweep: Statement<[string, number], never>;
  readonly #rows: Statement<(string | number)[], Kept>;
  readonly #rowsOf: Statement<(string | number)[], Kept>;
  readonly #pushed: Statement<[], { readonly start: number; readonly app: string }>;
  readonly #setPushed: Statement<[number, string], never>;
  readonly #row: Statement<[string, number, string], Kept>;

  readonly #warn: Statement<[string, string, number], never>;

  constructor(database: Database) {
    const updates = [
      ...sumNames.map((name) => `${name} = ${name} + excluded.${name}`),
      ...peakNames.map((name) => `${name} = max(${name}, excluded.${name})`),
      'incomplete = max(incomplete, excluded.incomplete)',
    ];
    this.#add = database.prepare(
      `INSERT INTO usage (unit, start, app, incomplete, ${COLUMNS.join(', ')})
       VALUES (?, ?, ?, ?, ${COLUMNS.map(() => '?').join(', ')})
       ON CONFLICT DO UPDATE SET ${updates.join(', ')}`,
    );
    this.#node = database.prepare('SELECT seq FROM usage_node WHERE node = ?');
    this.#setNode = database.prepare(
      'INSERT OR REPLACE INTO usage_node (node, seq, minute) VALUES (?, ?, ?)',
    );
    this.#endNode = database.prepare('DELETE FROM usage_node WHERE node = ?');
    this.#others = database.prepare('SELECT node, minute FROM usage_node WHERE node <> ?');
    this.#mark = database.prepare('UPDATE usage SET incomplete = 1 WHERE unit = ? AND start = ?');
    this.#sweep = database.prepare(
      `DELETE FROM usage WHERE (unit, start, app) IN (
         SELECT unit, start, app FROM usage WHERE unit = ? AND start < ? LIMIT ${PER_SWEEP})`,
    );
    const all = 'SELECT * FROM usage WHERE unit = ? AND (start, app) > (?, ?) AND start >= ? AND start < ?';
    const order = 'ORDER BY start, app LIMIT ?';
    this.#rows = database.prepare(`${all} ${order}`);
    this.#rowsOf = database.prepare(`${all} AND app IN (SELECT value FROM json_each(?)) ${order}`);
    this.#warn = database.prepare(
      `INSERT INTO usage_warning (app, quota, start) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET start = excluded.start WHERE start <> excluded.start`,
    );
    this.#pushed = database.prepare('SELECT start, app FROM usage_pushed');
    this.#setPushed = database.prepare(
      'INSERT OR REPLACE INTO usage_pushed (id, start, app) VALUES (1, ?, ?)',
    );
    this.#row = database.prepare('SELECT * FROM usage WHERE unit = ? AND start = ? AND app = ?');
  }

  /** Within a transaction. */
  begin(node: string): void {
    for (const { node: dead, minute } of this.#others.all(node)) {
      for (const unit of units) this.#mark.run(unit, startOf(unit, minute));
      this.#endNode.run(dead);
    }
  }

  /** Within a transaction. */
  add({ node, seq, changes, isLast }: UsageBatch): void {
    const known = this.#node.get(node)?.seq ?? 0;
    if (seq > known) {
      for (const change of changes) for (const unit of units) this.#addTo(unit, change);
      const newest = changes.reduce((latest, { minute }) => Math.max(latest, minute), 0);
      if (newest > 0) {
        this.#setNode.run(node, seq, newest);
        for (const unit of units) this.#sweep.run(unit, newest - KEPT_MS[unit]);
      }
    }
    if (isLast) this.#endNode.run(node);
  }

  rows({ unit, from, to, apps, after, limit }: UsageQuery): UsageRow[] {
    const bounds = [unit, after?.from ?? 0, after?.app ?? '', from, to];
    const kept = apps
      ? this.#rowsOf.all(...bounds, JSON.stringify(apps), limit)
      : this.#rows.all(...bounds, limit);
    return kept.map(rowOf);
  }

  used(apps: readonly string[], at: number): Used[] {
    const find = (unit: Unit, app: string) => {
      const kept = this.#row.get(unit, startOf(unit, at), app);
      return kept && rowOf(kept);
    };
    return apps.map((app) => usedOf(app, find('day', app), find('month', app)));
  }

  /** Within a transaction. */
  warn(app: string, quota: string, start: number): boolean {
    return this.#warn.run(app, quota, start) > 0;
  }

  /** Within a transaction. The file has one node. */
  takePush(start: PushedRow): PushedRow {
    const kept = this.#pushed.get();
    if (kept) return { from: kept.start, app: kept.app };
    this.pushed(start);
    return start;
  }

  /** Within a transaction. */
  pushed({ from, app }: PushedRow): void {
    this.#setPushed.run(from, app);
  }

  #addTo(unit: Unit, { app, minute, sums, peaks, isIncomplete }: UsageChange): void {
    this.#add.run(unit, startOf(unit, minute), app, isIncomplete ? 1 : 0, ...sums, ...peaks);
  }
}

function rowOf(kept: Kept): UsageRow {
  const values = (names: readonly string[]) => names.map((name) => kept[name] ?? 0);
  return {
    app: kept.app,
    from: kept.start,
    sums: values(sumNames),
    peaks: values(peakNames),
    isIncomplete: kept['incomplete'] === 1,
  };
}
