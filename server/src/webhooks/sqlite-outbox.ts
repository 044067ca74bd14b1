import type { HookKey } from '../apps/hook.ts';
import type { Database } from '../data/database.ts';
import { GroupCommit } from './group-commit.ts';
import type { Change, EventPage, HookState, Outbox, OutboxListener, Told } from './outbox.ts';
import { SqliteDeliveries } from './sqlite-deliveries.ts';

/** Events that one sweep forgets of each app, so that no transaction is long. */
const SWEEP_EVENTS = 5000;

export interface SqliteOutboxParts {
  readonly database: Database;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Deliveries of one hook that may wait; the oldest beyond them become dead letters, of which as many are kept. */
  readonly maxPending: number;
  /** Is told when a transaction begins, and when it is on the disk. */
  readonly onStep?: ((step: 'beforeWrite' | 'afterWrite') => void) | undefined;
}

/** An outbox that outlives the process: what it has committed is on the disk. */
export class SqliteOutbox implements Outbox {
  readonly epoch = undefined;
  readonly deliveries: SqliteDeliveries;
  readonly #parts: SqliteOutboxParts;
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof prepare>;
  /** The last `seq` of each app that had a change since the start. */
  readonly #sequences = new Map<string, number>();
  readonly #states = new Map<HookKey, HookState>();
  #listener: OutboxListener | undefined;
  /** What to tell the listener once the transaction is committed. */
  #news: ((listener: OutboxListener) => void)[] = [];

  constructor(parts: SqliteOutboxParts) {
    const { database, now } = parts;
    this.#parts = parts;
    this.#sql = prepare(database);
    this.#commit = new GroupCommit((work) => this.#transact(work));
    const id = this.#sql.identity.get()?.id ?? '';
    this.deliveries = new SqliteDeliveries({ database, now, id, commit: this.#commit });
    for (const { key, state } of this.#sql.states.all()) this.#states.set(key, state);
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  told(): readonly Told[] {
    return this.#sql.told.all().map(({ app, channel, user }) => ({ appId: app, channel, userId: user }));
  }

  append(changes: readonly Change[]): Promise<void> {
    return this.#commit.add(() => {
      for (const change of changes) this.#append(change);
    });
  }

  async events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    const events = this.#sql.events.all(appId, afterSeq, limit).map(({ body }) => body);
    return { events, lastSeq: this.#sql.lastSeq.get(appId)?.seq ?? 0 };
  }

  stateOf(hook: HookKey): HookState {
    return this.#states.get(hook) ?? 'active';
  }

  async setState(hook: HookKey, state: HookState): Promise<void> {
    await this.#commit.add(() => this.#sql.setState.run(hook, state));
    this.#states.set(hook, state);
  }

  async sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void> {
    await this.#commit.add(() => {
      for (const { app } of this.#sql.apps.all()) {
        // Whatever stands behind an event that stays is kept as well, so that the log has no gaps.
        const { seq } = this.#sql.firstSince.get(app, before) ?? { seq: Number.MAX_SAFE_INTEGER };
        this.#sql.forget.run(app, app, seq, SWEEP_EVENTS);
      }
      this.deliveries.sweep(before, hooks, this.#parts.maxPending);
    });
  }

  async close(): Promise<void> {
    this.#commit.flush();
  }

  #append({ appId, event, lane, hooks, ledger }: Change): void {
    if (ledger) {
      const statement = ledger.is === 'there' ? this.#sql.tell : this.#sql.untell;
      statement.run(ledger.told.appId, ledger.told.channel, ledger.told.userId);
    }
    if (!event) return;
    const now = this.#parts.now();
    const seq = (this.#sequences.get(appId) ?? this.#sql.lastSeq.get(appId)?.seq ?? 0) + 1;
    this.#sequences.set(appId, seq);
    const body = JSON.stringify({ ...event, seq });
    this.#sql.event.run(appId, seq, now, body);
    this.#sql.sequence.run(appId, seq);
    for (const hook of hooks) {
      const dueAt = this.deliveries.insert(hook, lane, body, now);
      this.#news.push((listener) => listener.appended(hook.key, lane, dueAt));
      const parked = this.deliveries.overflow(hook.key, this.#parts.maxPending);
      if (parked > 0) this.#news.push((listener) => listener.overflowed(hook.key, parked));
    }
  }

  #transact(work: () => void): void {
    const { database, onStep } = this.#parts;
    onStep?.('beforeWrite');
    try {
      database.transaction(work);
    } catch (error) {
      // What was counted along the way did not happen.
      this.#news = [];
      this.#sequences.clear();
      this.deliveries.recount();
      throw error;
    }
    onStep?.('afterWrite');
    const news = this.#news;
    this.#news = [];
    if (this.#listener) for (const tell of news) tell(this.#listener);
  }
}

function prepare(database: Database) {
  return {
    identity: database.prepare<[], { id: string }>('SELECT id FROM identity'),
    told: database.prepare<[], { app: string; channel: string; user: string }>(
      'SELECT app, channel, user FROM told',
    ),
    tell: database.prepare<[string, string, string]>(
      'INSERT OR IGNORE INTO told (app, channel, user) VALUES (?, ?, ?)',
    ),
    untell: database.prepare<[string, string, string]>(
      'DELETE FROM told WHERE app = ? AND channel = ? AND user = ?',
    ),
    lastSeq: database.prepare<[string], { seq: number }>('SELECT seq FROM sequence WHERE app = ?'),
    sequence: database.prepare<[string, number]>('INSERT OR REPLACE INTO sequence (app, seq) VALUES (?, ?)'),
    event: database.prepare<[string, number, number, string]>(
      'INSERT INTO event (app, seq, committed_at, body) VALUES (?, ?, ?, ?)',
    ),
    events: database.prepare<[string, number, number], { body: string }>(
      'SELECT body FROM event WHERE app = ? AND seq > ? ORDER BY seq LIMIT ?',
    ),
    apps: database.prepare<[], { app: string }>('SELECT app FROM sequence'),
    firstSince: database.prepare<[string, number], { seq: number }>(
      'SELECT seq FROM event WHERE app = ? AND committed_at >= ? ORDER BY seq LIMIT 1',
    ),
    forget: database.prepare<[string, string, number, number]>(
      `DELETE FROM event WHERE app = ? AND seq IN
         (SELECT seq FROM event WHERE app = ? AND seq < ? ORDER BY seq LIMIT ?)`,
    ),
    states: database.prepare<[], { key: HookKey; state: HookState }>('SELECT key, state FROM hook'),
    setState: database.prepare<[HookKey, HookState]>(
      'INSERT OR REPLACE INTO hook (key, state) VALUES (?, ?)',
    ),
  };
}
