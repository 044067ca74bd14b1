import type { Database } from '../../../data/database.ts';
import { bytesOf } from '../delivery-counts.ts';
import type { EventPage } from '../outbox.ts';
import { Stock, type StockBounds } from '../stock.ts';

/** Events of each app that one sweep forgets, and that one transaction drops, so that none takes long. */
const PAGE = 5000;

/** The latest committed events of each app, in a table. */
export class SqliteLog {
  /** Changes within a transaction, and is rolled back with it. */
  readonly #stock: Stock<string>;
  readonly #forgot: (appId: string) => void;
  readonly #sql: ReturnType<typeof prepare>;
  /** The last `seq` of each app that had an event since the start. */
  readonly #sequences = new Map<string, number>();
  #changed = new Set<string>();

  /** @param forgot is told of each event that had to go because there were too many */
  constructor(database: Database, bounds: StockBounds, forgot: (appId: string) => void) {
    this.#sql = prepare(database);
    this.#stock = new Stock(bounds);
    this.#forgot = forgot;
    for (const { app, count, bytes } of this.#sql.count.all()) this.#add(app, count, bytes);
  }

  bytesOf(appId: string): number {
    return this.#stock.bytesOf(appId);
  }

  /** The apps whose bytes may have changed since the last call. */
  takeChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** The `seq` of the next event of an app. */
  nextSeq(appId: string): number {
    return (this.#sequences.get(appId) ?? this.#sql.lastSeq.get(appId)?.seq ?? 0) + 1;
  }

  /** Within a transaction. */
  append(appId: string, seq: number, body: string, committedAt: number): void {
    this.#sequences.set(appId, seq);
    this.#sql.insert.run(appId, seq, committedAt, body);
    this.#sql.sequence.run(appId, seq);
    this.#add(appId, 1, bytesOf(body));
    for (let forgotten = 0; forgotten < PAGE; forgotten += 1) {
      const owner = this.#stock.excess(appId);
      const oldest = owner === undefined ? undefined : this.#sql.oldest.get(owner);
      if (owner === undefined || !oldest) return;
      this.#forget(owner, oldest);
      this.#forgot(owner);
    }
  }

  read(appId: string, afterSeq: number, limit: number): EventPage {
    const events = this.#sql.page.all(appId, afterSeq, limit).map(({ body }) => body);
    return { events, lastSeq: this.#sql.lastSeq.get(appId)?.seq ?? 0 };
  }

  /** Within a transaction: forgets some of what was committed before a time. */
  sweep(before: number): void {
    for (const appId of this.#stock.owners()) {
      for (const event of this.#sql.eldest.all(appId, PAGE)) {
        if (event.committed_at >= before) break;
        this.#forget(appId, event);
      }
    }
  }

  /** Within a transaction: forgets all events of an app, and how many there were. */
  forgetApp(appId: string): void {
    const { count = 0, bytes = 0 } = this.#sql.countOf.get(appId) ?? {};
    this.#sql.forgetEvents.run(appId);
    this.#sql.forgetSequence.run(appId);
    this.#sequences.delete(appId);
    this.#add(appId, -count, -(bytes ?? 0));
  }

  begin(): void {
    this.#stock.begin();
  }

  commit(): void {
    this.#stock.commit();
  }

  rollback(): void {
    this.#stock.rollback();
    this.#sequences.clear();
  }

  #add(appId: string, count: number, bytes: number): void {
    this.#changed.add(appId);
    this.#stock.add(appId, count, bytes);
  }

  #forget(appId: string, { seq, body }: { readonly seq: number; readonly body: string }): void {
    this.#sql.forget.run(appId, seq);
    this.#add(appId, -1, -bytesOf(body));
  }
}

function prepare(database: Database) {
  return {
    count: database.prepare<[], { app: string; count: number; bytes: number }>(
      `SELECT app, count(*) AS count, sum(${bytesOf('')} + length(CAST(body AS BLOB))) AS bytes
       FROM event GROUP BY app`,
    ),
    countOf: database.prepare<[string], { count: number; bytes: number | null }>(
      `SELECT count(*) AS count, sum(${bytesOf('')} + length(CAST(body AS BLOB))) AS bytes
       FROM event WHERE app = ?`,
    ),
    forgetEvents: database.prepare<[string]>('DELETE FROM event WHERE app = ?'),
    forgetSequence: database.prepare<[string]>('DELETE FROM sequence WHERE app = ?'),
    lastSeq: database.prepare<[string], { seq: number }>('SELECT seq FROM sequence WHERE app = ?'),
    sequence: database.prepare<[string, number]>('INSERT OR REPLACE INTO sequence (app, seq) VALUES (?, ?)'),
    insert: database.prepare<[string, number, number, string]>(
      'INSERT INTO event (app, seq, committed_at, body) VALUES (?, ?, ?, ?)',
    ),
    page: database.prepare<[string, number, number], { body: string }>(
      'SELECT body FROM event WHERE app = ? AND seq > ? ORDER BY seq LIMIT ?',
    ),
    oldest: database.prepare<[string], { seq: number; body: string }>(
      'SELECT seq, body FROM event WHERE app = ? ORDER BY seq LIMIT 1',
    ),
    eldest: database.prepare<[string, number], { seq: number; committed_at: number; body: string }>(
      'SELECT seq, committed_at, body FROM event WHERE app = ? ORDER BY seq LIMIT ?',
    ),
    forget: database.prepare<[string, number]>('DELETE FROM event WHERE app = ? AND seq = ?'),
  };
}
