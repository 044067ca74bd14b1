import { appOfHook, type HookKey } from '../../../apps/hook.ts';
import type { Database } from '../../../data/database.ts';
import { committedEvent } from '../../event.ts';
import { GroupCommit } from '../group-commit.ts';
import { News } from '../news.ts';
import type {
  Amounts,
  Announced,
  Change,
  EventPage,
  HookState,
  KeptBytes,
  Outbox,
  OutboxBounds,
  OutboxListener,
} from '../outbox.ts';
import { SqliteDeliveries } from './deliveries.ts';
import { SqliteLog } from './log.ts';

export interface SqliteOutboxParts extends OutboxBounds {
  readonly database: Database;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** An outbox on disk, which outlives the process. */
export class SqliteOutbox implements Outbox {
  readonly epoch = undefined;
  readonly deliveries: SqliteDeliveries;
  readonly #parts: SqliteOutboxParts;
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #log: SqliteLog;
  readonly #states = new Map<HookKey, HookState>();
  #listener: OutboxListener | undefined;
  readonly #news = new News();

  constructor(parts: SqliteOutboxParts) {
    const { database, now, ...bounds } = parts;
    const { maxLogEvents: maxCount, maxBytes, maxTotalBytes } = bounds;
    this.#parts = parts;
    this.#sql = prepare(database);
    this.#commit = new GroupCommit((work) => this.#transact(work));
    const id = this.#sql.identity.get()?.id ?? '';
    this.#log = new SqliteLog(database, { maxCount, maxBytes, maxTotalBytes }, (appId) =>
      this.#news.dropped(appId, 'event', 1),
    );
    this.deliveries = new SqliteDeliveries({
      database,
      now,
      id,
      bounds,
      commit: this.#commit,
      listener: this.#news,
    });
    this.#readStates();
  }

  attach(listener: OutboxListener): void {
    this.#listener = listener;
  }

  bytesOf(appId: string): KeptBytes {
    return { ...this.deliveries.deliveryCounts.bytesOf(appId), event: this.#log.bytesOf(appId) };
  }

  /** How much of what is kept has changed since the last call: deliveries by hook, bytes by app. */
  takeChanged(): Amounts {
    const counts = this.deliveries.deliveryCounts.takeChanged();
    const apps = new Set([...this.#log.takeChanged(), ...Array.from(counts.keys(), appOfHook)]);
    return { counts, bytes: new Map(Array.from(apps, (appId) => [appId, this.bytesOf(appId)] as const)) };
  }

  told(): readonly Announced[] {
    return this.#sql.told.all().map(({ app, channel, user }) => ({ appId: app, channel, userId: user }));
  }

  append(changes: readonly Change[]): Promise<void> {
    return this.#commit.add(() => {
      for (const change of changes) this.#append(change);
    });
  }

  async events(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    return this.#log.read(appId, afterSeq, limit);
  }

  /** The states of hooks that are, or were, not active. */
  get states(): ReadonlyMap<HookKey, HookState> {
    return this.#states;
  }

  /** Adds a write to the same grouped transactions. */
  write<Result>(work: () => Result): Promise<Result> {
    return this.#commit.add(work);
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
      this.#log.sweep(before);
      this.deliveries.sweep(before, hooks);
    });
  }

  /** Within a transaction: forgets all of an app. */
  forgetApp(appId: string): void {
    this.#sql.untellApp.run(appId);
    this.#log.forgetApp(appId);
    this.deliveries.forgetApp(appId);
    for (const hook of this.#states.keys()) {
      if (appOfHook(hook) !== appId) continue;
      this.#sql.forgetState.run(hook);
      this.#states.delete(hook);
    }
  }

  async close(): Promise<void> {
    this.#commit.flush();
  }

  #readStates(): void {
    for (const { key, state } of this.#sql.states.all()) this.#states.set(key, state);
  }

  #append({ appId, event, lane, hooks, ledger }: Change): void {
    if (ledger) {
      const statement = ledger.is === 'there' ? this.#sql.tell : this.#sql.untell;
      statement.run(ledger.told.appId, ledger.told.channel, ledger.told.userId);
    }
    if (!event) return;
    const now = Math.floor(this.#parts.now());
    const seq = this.#log.nextSeq(appId);
    const body = committedEvent(event, seq);
    this.#log.append(appId, seq, body, now);
    for (const hook of hooks) {
      const dueAt = this.deliveries.insert(hook, lane, body, now);
      this.#news.appended(hook.key, lane, dueAt);
      this.deliveries.overflow(hook.key);
    }
  }

  #transact(work: () => void): void {
    const { database } = this.#parts;
    const counted = [this.#log, this.deliveries.deliveryCounts];
    for (const each of counted) each.begin();
    try {
      database.transaction(work);
    } catch (error) {
      // The transaction was rolled back, so its counts are, too.
      this.#news.clear();
      for (const each of counted) each.rollback();
      this.#readStates();
      throw error;
    }
    for (const each of counted) each.commit();
    this.#news.tell(this.#listener);
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
    untellApp: database.prepare<[string]>('DELETE FROM told WHERE app = ?'),
    forgetState: database.prepare<[HookKey]>('DELETE FROM hook WHERE key = ?'),
    states: database.prepare<[], { key: HookKey; state: HookState }>('SELECT key, state FROM hook'),
    setState: database.prepare<[HookKey, HookState]>(
      'INSERT OR REPLACE INTO hook (key, state) VALUES (?, ?)',
    ),
  };
}
