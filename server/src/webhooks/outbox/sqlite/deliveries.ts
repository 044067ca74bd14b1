import { appOfHook, type HookKey } from '../../../apps/hook.ts';
import type { Database } from '../../../data/database.ts';
import { bytesOf, bytesOfAttempts, DeliveryCounts } from '../delivery-counts.ts';
import { type DeliveryRow, prepareDeliveries } from '../delivery-table.ts';
import type { GroupCommit } from '../group-commit.ts';
import {
  type Attempt,
  type Deliveries,
  type Delivery,
  type DeliveryState,
  type Dispatched,
  deliveryIdOf,
  joining,
  type Lane,
  MAX_ATTEMPTS_KEPT,
  numberOfDelivery,
  type OutboxBounds,
  type OutboxListener,
  type Target,
  type Which,
} from '../outbox.ts';

/** Rows that one transaction changes, so that none is long. */
const PAGE = 1000;
const NONE = '[]';
/** No limit, in SQLite. */
const EVERY = -1;

/** What the parts of one outbox share. */
export interface SqliteDeliveriesParts {
  readonly database: Database;
  readonly commit: GroupCommit;
  /** The id of the outbox, which is a part of its deliveries' ids. */
  readonly id: string;
  readonly now: () => number;
  readonly bounds: OutboxBounds;
  /** Called for what was dropped because a bound was reached. */
  readonly listener: Pick<OutboxListener, 'overflowed' | 'dropped'>;
}

/** Deliveries in a table. Each change is part of a grouped transaction. */
export class SqliteDeliveries implements Deliveries {
  readonly #parts: SqliteDeliveriesParts;
  readonly #sql: ReturnType<typeof prepareDeliveries>;
  /** Changes within a transaction, and is rolled back with it. */
  readonly deliveryCounts: DeliveryCounts;

  constructor(parts: SqliteDeliveriesParts) {
    this.#parts = parts;
    this.#sql = prepareDeliveries(parts.database);
    this.deliveryCounts = new DeliveryCounts(parts.bounds);
    for (const { hook, dead, tried, count, bytes } of this.#sql.count.all()) {
      this.deliveryCounts.add(hook, stateOf(dead, tried), count, bytes);
    }
  }

  counts(hook: HookKey): Readonly<Record<DeliveryState, number>> {
    return this.deliveryCounts.of(hook);
  }

  async lanes(hook: HookKey): Promise<readonly Lane[]> {
    return this.#sql.lanes.all(hook).map(({ lane, due_at: dueAt }) => ({ name: lane, dueAt }));
  }

  async head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined> {
    const [first, second] = this.#sql.lane.all(hook, lane, Math.min(maxEvents, 2));
    if (!first || !second || joining([first, second], wasTried).length < 2) return first && this.#read(first);
    return this.#parts.commit.add(() => this.#join(hook, lane, maxEvents));
  }

  acknowledge({ n }: Pick<Dispatched, 'n'>): Promise<void> {
    return this.#parts.commit.add(() => this.#delete(n));
  }

  fail({ n, attempts }: Dispatched, attempt: Attempt, dueAt: number): Promise<void> {
    return this.#parts.commit.add(() => {
      this.#attempted(n, attempts, attempt);
      const state = this.#stateOf(n);
      if (!state) return;
      this.#sql.fail.run(Math.floor(attempt.at), Math.ceil(dueAt), n);
      if (state.name === 'pending') this.#move(state, 'failing');
    });
  }

  park({ n, attempts }: Dispatched, attempt: Attempt): Promise<void> {
    return this.#parts.commit.add(() => {
      this.#attempted(n, attempts, attempt);
      this.#moveToDeadLetters(n);
    });
  }

  async list(
    hook: HookKey,
    state: DeliveryState,
    after: number,
    limit: number,
  ): Promise<readonly Delivery[]> {
    return this.#list(hook, state, after, limit);
  }

  retry(hook: HookKey, which: Which): Promise<number> {
    return this.#each(hook, which, (n) => {
      const state = this.#stateOf(n);
      if (!state) return;
      this.#sql.retry.run(Math.floor(this.#parts.now()), n);
      this.#move(state, 'pending');
    });
  }

  skip(hook: HookKey, which: Which): Promise<number> {
    return this.#each(hook, which, (n) => this.#delete(n));
  }

  /** Within a transaction: adds a delivery of one event. @returns when it is due */
  insert({ key, maxDelayMs }: Target, lane: string, event: string, now: number): number {
    const dueAt = now + maxDelayMs;
    const bytes = bytesOf(event);
    this.#sql.insert.run(key, lane, now, dueAt, event, bytes);
    this.deliveryCounts.add(key, 'pending', 1, bytes);
    return dueAt;
  }

  /** Within a transaction: turns the oldest deliveries over the bounds into dead letters, one page at a time. */
  overflow(hook: HookKey): void {
    for (let parked = 0; parked < PAGE; parked += 1) {
      const owner = this.deliveryCounts.waiting.excess(hook);
      const [oldest] = owner ? this.#sql.oldest.all(owner, 0, 1) : [];
      if (!owner || !oldest) return;
      this.#moveToDeadLetters(oldest.n);
      this.#parts.listener.overflowed(owner, 1);
    }
  }

  /** Within a transaction: forgets some dead letters that are too old, and deliveries of hooks that are gone. */
  sweep(before: number, hooks: ReadonlySet<HookKey>): void {
    for (const hook of this.deliveryCounts.hooks()) {
      for (const dead of hooks.has(hook) ? [1] : [1, 0]) {
        for (const { n, committed_at: committedAt } of this.#sql.oldest.all(hook, dead, PAGE)) {
          if (committedAt >= before) break;
          this.#delete(n);
        }
      }
    }
  }

  /** Within a transaction: forgets all deliveries of an app. */
  forgetApp(appId: string): void {
    for (const hook of this.deliveryCounts.hooks()) {
      if (appOfHook(hook) !== appId) continue;
      for (const dead of [0, 1]) {
        for (const { n } of this.#sql.oldest.all(hook, dead, EVERY)) this.#delete(n);
      }
    }
  }

  #list(hook: HookKey, state: DeliveryState, after: number, limit: number): readonly Delivery[] {
    return this.#sql.list
      .all(hook, state === 'dead' ? 1 : 0, after, state === 'failing' ? 1 : 0, limit)
      .map((row) => this.#read(row));
  }

  #join(hook: HookKey, lane: string, maxEvents: number): Delivery | undefined {
    const rows = this.#sql.lane.all(hook, lane, maxEvents);
    const joined = joining(rows, wasTried);
    const [first, ...others] = joined;
    if (!first || others.length === 0) return rows[0] && this.#read(rows[0]);
    const size = joined.length;
    const events = joined.map((row) => row.events).join(',');
    const bytes = bytesOf(events);
    this.#sql.grow.run(size, events, bytes, first.n);
    this.deliveryCounts.add(hook, 'pending', 0, bytes - first.bytes);
    for (const { n } of others) this.#delete(n);
    return this.#read({ ...first, size, events });
  }

  /** Deliveries of one hook, a page for each transaction. */
  async #each(hook: HookKey, which: Which, change: (n: number) => void): Promise<number> {
    const { commit, id } = this.#parts;
    if ('ids' in which) {
      const numbers = which.ids.map((each) => numberOfDelivery(id, each)).filter((n) => n !== undefined);
      return commit.add(() => {
        const found = numbers.filter((n) => this.#stateOf(n)?.hook === hook);
        for (const n of found) change(n);
        return found.length;
      });
    }
    let total = 0;
    for (let after = 0; ; ) {
      const page = await commit.add(() => {
        const deliveries = this.#list(hook, which.state, after, PAGE);
        for (const { n } of deliveries) change(n);
        return deliveries;
      });
      total += page.length;
      after = page.at(-1)?.n ?? after;
      if (page.length < PAGE) return total;
    }
  }

  #stateOf(n: number): Counted | undefined {
    const row = this.#sql.state.get(n);
    return row && { hook: row.hook, name: stateOf(row.dead, row.tries), bytes: row.bytes };
  }

  #attempted(n: number, attempts: readonly Attempt[], attempt: Attempt): void {
    const state = this.#stateOf(n);
    if (!state) return;
    const kept = [...attempts, attempt].slice(-MAX_ATTEMPTS_KEPT);
    const bytes = bytesOfAttempts(kept) - bytesOfAttempts(attempts);
    this.#sql.attempted.run(JSON.stringify(kept), bytes, n);
    this.deliveryCounts.add(state.hook, state.name, 0, bytes);
  }

  #delete(n: number): void {
    const state = this.#stateOf(n);
    if (!state) return;
    this.#sql.delete.run(n);
    this.deliveryCounts.add(state.hook, state.name, -1, -state.bytes);
  }

  #moveToDeadLetters(n: number): void {
    const state = this.#stateOf(n);
    if (!state || state.name === 'dead') return;
    this.#sql.markDead.run(n);
    this.#move(state, 'dead');
    for (;;) {
      const owner = this.deliveryCounts.dead.excess(state.hook);
      const [oldest] = owner ? this.#sql.oldest.all(owner, 1, 1) : [];
      if (!owner || !oldest) return;
      this.#delete(oldest.n);
      this.#parts.listener.dropped(appOfHook(owner), 'dead_letter', 1);
    }
  }

  #move({ hook, name, bytes }: Counted, to: DeliveryState): void {
    this.deliveryCounts.add(hook, name, -1, -bytes);
    this.deliveryCounts.add(hook, to, 1, bytes);
  }

  #read(row: DeliveryRow): Delivery {
    return {
      n: row.n,
      id: deliveryIdOf(this.#parts.id, row.n, row.size),
      hook: row.hook,
      lane: row.lane,
      state: stateOf(row.dead, row.tries),
      committedAt: row.committed_at,
      dueAt: row.due_at,
      size: row.size,
      events: row.events,
      tries: row.tries,
      triedSince: row.tried_since ?? undefined,
      attempts: JSON.parse(row.attempts),
    };
  }
}

/** What the counts need to know about a delivery. */
interface Counted {
  readonly hook: HookKey;
  readonly name: DeliveryState;
  readonly bytes: number;
}

function stateOf(dead: number, tries: number): DeliveryState {
  if (dead) return 'dead';
  return tries > 0 ? 'failing' : 'pending';
}

function wasTried({ attempts }: DeliveryRow): boolean {
  return attempts !== NONE;
}
