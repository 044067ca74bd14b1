import type { HookKey } from '../../apps/hook.ts';
import type { Attempt, DeliveryState, KeptBytes, OutboxBounds } from './outbox.ts';
import { Stock } from './stock.ts';

/** About how many bytes an event or a delivery takes beside its text. */
const ITEM_BYTES = 200;
/** About how many bytes an attempt takes beside the answer. */
const ATTEMPT_BYTES = 50;

/** How many deliveries each hook has in each state, and how much they take. */
export class DeliveryCounts {
  /** Pending and failing ones. */
  readonly waiting: Stock<HookKey>;
  readonly dead: Stock<HookKey>;
  readonly #failing: Stock<HookKey>;
  /** Hooks whose numbers may have changed since the last {@link takeChanged}. */
  #changed = new Set<HookKey>();

  constructor({ maxPending: maxCount, maxBytes, maxTotalBytes }: OutboxBounds) {
    this.waiting = new Stock({ maxCount, maxBytes, maxTotalBytes });
    this.dead = new Stock({ maxCount, maxBytes, maxTotalBytes });
    const unbounded = Number.POSITIVE_INFINITY;
    this.#failing = new Stock({ maxCount: unbounded, maxBytes: unbounded, maxTotalBytes: unbounded });
  }

  of(hook: HookKey): Readonly<Record<DeliveryState, number>> {
    const failing = this.#failing.countOf(hook);
    return { pending: this.waiting.countOf(hook) - failing, failing, dead: this.dead.countOf(hook) };
  }

  /** Bytes of an app. */
  bytesOf(appId: string): Omit<KeptBytes, 'event'> {
    return { delivery: this.waiting.bytesOf(appId), dead_letter: this.dead.bytesOf(appId) };
  }

  /** The numbers that have changed since the last call. */
  takeChanged(): ReadonlyMap<HookKey, Readonly<Record<DeliveryState, number>>> {
    const changed = this.#changed;
    this.#changed = new Set();
    return new Map(Array.from(changed, (hook) => [hook, this.of(hook)] as const));
  }

  /** Hooks that have a delivery, whether they are still configured or not. */
  hooks(): HookKey[] {
    return [...new Set([...this.waiting.owners(), ...this.dead.owners()])];
  }

  /** Adds deliveries, or removes them if both numbers are negative. */
  add(hook: HookKey, state: DeliveryState, count: number, bytes: number): void {
    this.#changed.add(hook);
    if (state === 'failing') this.#failing.add(hook, count, bytes);
    (state === 'dead' ? this.dead : this.waiting).add(hook, count, bytes);
  }

  /** Starts a transaction, which {@link rollback} undoes. */
  begin(): void {
    for (const stock of this.#stocks) stock.begin();
  }

  commit(): void {
    for (const stock of this.#stocks) stock.commit();
  }

  rollback(): void {
    for (const stock of this.#stocks) stock.rollback();
  }

  get #stocks(): readonly Stock<HookKey>[] {
    return [this.waiting, this.dead, this.#failing];
  }
}

/** Bytes that an event, or a delivery without attempts, takes. */
export function bytesOf(text: string): number {
  return ITEM_BYTES + Buffer.byteLength(text);
}

export function bytesOfAttempts(attempts: readonly Attempt[]): number {
  return attempts.reduce((sum, { answer }) => sum + ATTEMPT_BYTES + Buffer.byteLength(answer), 0);
}
