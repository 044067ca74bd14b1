import type { Hook, HookKey } from '../apps/hook.ts';
import type { Database } from '../data/database.ts';
import { type DeliveryRow, prepareDeliveries } from './delivery-table.ts';
import type { GroupCommit } from './group-commit.ts';
import {
  type Attempt,
  type Deliveries,
  type Delivery,
  type DeliveryState,
  deliveryIdOf,
  joining,
  type Lane,
  MAX_ATTEMPTS_KEPT,
  numberOfDelivery,
  type Which,
} from './outbox.ts';
import { Tally } from './tally.ts';

/** Rows that one transaction changes, so that none is long. */
const PAGE = 1000;
const NONE = '[]';

/** What the parts of one outbox share. */
export interface SqliteDeliveriesParts {
  readonly database: Database;
  readonly commit: GroupCommit;
  /** Names the outbox in the ids of its deliveries. */
  readonly id: string;
  readonly now: () => number;
}

/** Deliveries in a table. Each method that changes something does so in one of the grouped transactions. */
export class SqliteDeliveries implements Deliveries {
  readonly #parts: SqliteDeliveriesParts;
  readonly #sql: ReturnType<typeof prepareDeliveries>;
  readonly #tally = new Tally();

  constructor(parts: SqliteDeliveriesParts) {
    this.#parts = parts;
    this.#sql = prepareDeliveries(parts.database);
    this.recount();
  }

  /** Counts what the table holds: at the start, and after a transaction that came to nothing. */
  recount(): void {
    this.#tally.clear();
    for (const { hook, dead, tried, count } of this.#sql.count.all()) {
      this.#tally.add(hook, stateOf(dead, tried), count);
    }
  }

  counts(hook: HookKey): Readonly<Record<DeliveryState, number>> {
    return this.#tally.of(hook);
  }

  lanes(hook: HookKey): readonly Lane[] {
    return this.#sql.lanes.all(hook).map(({ lane, due_at: dueAt }) => ({ name: lane, dueAt }));
  }

  async head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined> {
    const [first, second] = this.#sql.lane.all(hook, lane, Math.min(maxEvents, 2));
    if (!first || !second || joining([first, second], wasTried).length < 2) return first && this.#read(first);
    return this.#parts.commit.add(() => this.#join(hook, lane, maxEvents));
  }

  acknowledge({ n }: Delivery): Promise<void> {
    return this.#parts.commit.add(() => this.#delete(n));
  }

  fail({ n, attempts }: Delivery, attempt: Attempt, dueAt: number): Promise<void> {
    return this.#parts.commit.add(() => {
      const state = this.#stateOf(n);
      if (!state) return;
      this.#sql.fail.run(withAttempt(attempts, attempt), attempt.at, dueAt, n);
      if (state.name === 'pending') this.#tally.move(state.hook, 'pending', 'failing');
    });
  }

  park({ n, attempts }: Delivery, attempt: Attempt): Promise<void> {
    return this.#parts.commit.add(() => {
      this.#sql.attempted.run(withAttempt(attempts, attempt), n);
      this.#bury(n);
    });
  }

  list(hook: HookKey, state: DeliveryState, after: number, limit: number): readonly Delivery[] {
    return this.#sql.list
      .all(hook, state === 'dead' ? 1 : 0, after, state === 'failing' ? 1 : 0, limit)
      .map((row) => this.#read(row));
  }

  retry(hook: HookKey, which: Which): Promise<number> {
    return this.#each(hook, which, (n, state) => {
      this.#sql.retry.run(this.#parts.now(), n);
      this.#tally.move(hook, state, 'pending');
    });
  }

  skip(hook: HookKey, which: Which): Promise<number> {
    return this.#each(hook, which, (n) => this.#delete(n));
  }

  /** Within a transaction: adds a delivery of one event. @returns when it is due */
  insert({ key, maxDelayMs }: Hook, lane: string, event: string, now: number): number {
    const dueAt = now + maxDelayMs;
    this.#sql.insert.run(key, lane, now, dueAt, event);
    this.#tally.add(key, 'pending');
    return dueAt;
  }

  /** Within a transaction: makes the oldest beyond `max` waiting ones dead letters. @returns how many */
  overflow(hook: HookKey, max: number): number {
    const { pending, failing } = this.#tally.of(hook);
    const excess = pending + failing - max;
    if (excess <= 0) return 0;
    const oldest = this.#sql.oldest.all(hook, 0, excess);
    for (const { n } of oldest) this.#bury(n);
    return oldest.length;
  }

  /** Within a transaction: forgets some dead letters that are too old or too many, and what hooks left that are gone. */
  sweep(before: number, hooks: ReadonlySet<HookKey>, maxDead: number): void {
    for (const hook of this.#tally.hooks()) {
      let excess = this.#tally.of(hook).dead - maxDead;
      for (const dead of hooks.has(hook) ? [1] : [1, 0]) {
        for (const { n, committed_at: committedAt } of this.#sql.oldest.all(hook, dead, PAGE)) {
          if (committedAt >= before && excess <= 0) break;
          excess -= 1;
          this.#delete(n);
        }
      }
    }
  }

  #join(hook: HookKey, lane: string, maxEvents: number): Delivery | undefined {
    const rows = this.#sql.lane.all(hook, lane, maxEvents);
    const joined = joining(rows, wasTried);
    const [first, ...others] = joined;
    if (!first || others.length === 0) return rows[0] && this.#read(rows[0]);
    const size = joined.length;
    const events = joined.map((row) => row.events).join(',');
    this.#sql.grow.run(size, events, first.n);
    for (const { n } of others) this.#delete(n);
    return this.#read({ ...first, size, events });
  }

  /** Deliveries of one hook, a page for each transaction. */
  async #each(
    hook: HookKey,
    which: Which,
    change: (n: number, state: DeliveryState) => void,
  ): Promise<number> {
    const { commit, id } = this.#parts;
    if ('ids' in which) {
      const numbers = which.ids.map((each) => numberOfDelivery(id, each)).filter((n) => n !== undefined);
      return commit.add(() => {
        const found = numbers.flatMap((n) => {
          const state = this.#stateOf(n);
          return state?.hook === hook ? [{ n, state: state.name }] : [];
        });
        for (const { n, state } of found) change(n, state);
        return found.length;
      });
    }
    let total = 0;
    for (let after = 0; ; ) {
      const page = await commit.add(() => {
        const deliveries = this.list(hook, which.state, after, PAGE);
        for (const { n, state } of deliveries) change(n, state);
        return deliveries;
      });
      total += page.length;
      after = page.at(-1)?.n ?? after;
      if (page.length < PAGE) return total;
    }
  }

  #stateOf(n: number): { readonly hook: HookKey; readonly name: DeliveryState } | undefined {
    const row = this.#sql.state.get(n);
    return row && { hook: row.hook, name: stateOf(row.dead, row.tries) };
  }

  #delete(n: number): void {
    const state = this.#stateOf(n);
    if (!state) return;
    this.#sql.delete.run(n);
    this.#tally.add(state.hook, state.name, -1);
  }

  #bury(n: number): void {
    const state = this.#stateOf(n);
    if (!state || state.name === 'dead') return;
    this.#sql.bury.run(n);
    this.#tally.move(state.hook, state.name, 'dead');
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

function stateOf(dead: number, tries: number): DeliveryState {
  if (dead) return 'dead';
  return tries > 0 ? 'failing' : 'pending';
}

function wasTried({ attempts }: DeliveryRow): boolean {
  return attempts !== NONE;
}

function withAttempt(attempts: readonly Attempt[], attempt: Attempt): string {
  return JSON.stringify([...attempts, attempt].slice(-MAX_ATTEMPTS_KEPT));
}
