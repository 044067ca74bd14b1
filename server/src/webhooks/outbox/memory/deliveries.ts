import { appOfHook, type HookKey } from '../../../apps/hook.ts';
import { bytesOf, bytesOfAttempts, DeliveryCounts } from '../delivery-counts.ts';
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
import { HookDeliveries } from './hook-deliveries.ts';

/** Stores deliveries elsewhere as well: called for each change. */
export interface DeliveryKeeper {
  put(delivery: Delivery): void;
  delete(n: number): void;
}

export interface MemoryDeliveriesParts {
  /** The id of the outbox, which is a part of its deliveries' ids. */
  readonly id: string;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  readonly bounds: OutboxBounds;
  /** Called for what was dropped because a bound was reached. */
  readonly listener: Pick<OutboxListener, 'overflowed' | 'dropped'>;
  readonly keeper?: DeliveryKeeper;
}

/** Deliveries in this process. */
export class MemoryDeliveries implements Deliveries {
  readonly #id: string;
  readonly #now: () => number;
  readonly #listener: MemoryDeliveriesParts['listener'];
  readonly #keeper: DeliveryKeeper | undefined;
  readonly #hooks = new Map<HookKey, HookDeliveries>();
  readonly #deliveryCounts: DeliveryCounts;
  #count = 0;

  constructor({ id, now, bounds, listener, keeper }: MemoryDeliveriesParts) {
    this.#id = id;
    this.#now = now;
    this.#listener = listener;
    this.#keeper = keeper;
    this.#deliveryCounts = new DeliveryCounts(bounds);
  }

  /** How many deliveries there have been: the number of the last one. */
  get count(): number {
    return this.#count;
  }

  /** Restores, at the start, what the keeper has stored. */
  restore(deliveries: readonly Delivery[], count: number): void {
    this.#count = count;
    for (const delivery of deliveries.toSorted((a, b) => a.n - b.n)) this.#place(delivery);
  }

  counts(hook: HookKey): Readonly<Record<DeliveryState, number>> {
    return this.#deliveryCounts.of(hook);
  }

  bytesOf(appId: string): ReturnType<DeliveryCounts['bytesOf']> {
    return this.#deliveryCounts.bytesOf(appId);
  }

  async lanes(hook: HookKey): Promise<readonly Lane[]> {
    return this.#of(hook).lanes();
  }

  async head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined> {
    const candidates = this.#of(hook).heads(lane, maxEvents);
    const [first] = candidates;
    const joined = joining(candidates, ({ attempts }) => attempts.length > 0);
    if (!first || joined.length < 2) return first;
    for (const { n } of joined.slice(1)) this.#delete(hook, n);
    const events = joined.map((delivery) => delivery.events).join(',');
    return this.#put({
      ...first,
      size: joined.length,
      events,
      id: deliveryIdOf(this.#id, first.n, joined.length),
    });
  }

  async acknowledge({ hook, n }: Dispatched): Promise<void> {
    this.#delete(hook, n);
  }

  async fail({ hook, n }: Dispatched, attempt: Attempt, dueAt: number): Promise<void> {
    const delivery = this.#of(hook).find(n);
    if (!delivery) return;
    const { state, tries, triedSince = attempt.at } = delivery;
    this.#put({
      ...withAttempt(delivery, attempt),
      state: state === 'dead' ? 'dead' : 'failing',
      dueAt,
      tries: tries + 1,
      triedSince,
    });
  }

  async park({ hook, n }: Dispatched, attempt: Attempt): Promise<void> {
    const delivery = this.#of(hook).find(n);
    if (delivery) this.#moveToDeadLetters(withAttempt(delivery, attempt));
  }

  async list(
    hook: HookKey,
    state: DeliveryState,
    after: number,
    limit: number,
  ): Promise<readonly Delivery[]> {
    return this.#of(hook).list(state, after, limit);
  }

  async retry(hook: HookKey, which: Which): Promise<number> {
    const found = this.#select(hook, which);
    for (const delivery of found) {
      this.#delete(hook, delivery.n);
      this.#put({ ...delivery, state: 'pending', dueAt: this.#now(), tries: 0, triedSince: undefined });
    }
    // They were put behind newer ones.
    this.#of(hook).sort(new Set(found.map(({ lane }) => lane)));
    return found.length;
  }

  async skip(hook: HookKey, which: Which): Promise<number> {
    const found = this.#select(hook, which);
    for (const { n } of found) this.#delete(hook, n);
    return found.length;
  }

  /** Adds a delivery of one event. @returns when it is due */
  insert({ key, maxDelayMs }: Target, lane: string, event: string, now: number): number {
    this.#count += 1;
    const dueAt = now + maxDelayMs;
    this.#put({
      n: this.#count,
      id: deliveryIdOf(this.#id, this.#count, 1),
      hook: key,
      lane,
      state: 'pending',
      committedAt: now,
      dueAt,
      size: 1,
      events: event,
      tries: 0,
      triedSince: undefined,
      attempts: [],
    });
    return dueAt;
  }

  /** After an insert for a hook: turns the oldest deliveries over the bounds into dead letters. */
  overflow(hook: HookKey): void {
    for (;;) {
      const owner = this.#deliveryCounts.waiting.excess(hook);
      const oldest = owner && this.#of(owner).oldestWaiting;
      if (!oldest) return;
      this.#moveToDeadLetters(oldest);
      this.#listener.overflowed(oldest.hook, 1);
    }
  }

  /** Forgets dead letters that are too old, and the deliveries of hooks that are gone. */
  sweep(before: number, hooks: ReadonlySet<HookKey>): void {
    for (const [hook, deliveries] of this.#hooks) {
      for (const { n, committedAt } of deliveries.dead()) {
        if (committedAt >= before) break;
        this.#delete(hook, n);
      }
      if (hooks.has(hook)) continue;
      for (const { n, committedAt } of deliveries.waiting()) if (committedAt < before) this.#delete(hook, n);
      if (deliveries.isEmpty) this.#hooks.delete(hook);
    }
  }

  forgetApp(appId: string): void {
    for (const [hook, deliveries] of this.#hooks) {
      if (appOfHook(hook) !== appId) continue;
      for (const { n } of [...deliveries.dead(), ...deliveries.waiting()]) this.#delete(hook, n);
      this.#hooks.delete(hook);
    }
  }

  #of(hook: HookKey): HookDeliveries {
    let deliveries = this.#hooks.get(hook);
    if (!deliveries) {
      deliveries = new HookDeliveries();
      this.#hooks.set(hook, deliveries);
    }
    return deliveries;
  }

  #select(hook: HookKey, which: Which): readonly Delivery[] {
    if ('state' in which) return this.#of(hook).list(which.state, 0, Number.POSITIVE_INFINITY);
    return which.ids.flatMap((id) => this.#of(hook).find(numberOfDelivery(this.#id, id) ?? 0) ?? []);
  }

  #put(delivery: Delivery): Delivery {
    this.#keeper?.put(delivery);
    return this.#place(delivery);
  }

  #place(delivery: Delivery): Delivery {
    const { hook, state, n } = delivery;
    const deliveries = this.#of(hook);
    const before = deliveries.find(n);
    if (before) this.#deliveryCounts.add(hook, before.state, -1, -weightOf(before));
    this.#deliveryCounts.add(hook, state, 1, weightOf(delivery));
    deliveries.set(delivery);
    return delivery;
  }

  #delete(hook: HookKey, n: number): void {
    const deliveries = this.#of(hook);
    const delivery = deliveries.find(n);
    if (!delivery) return;
    this.#deliveryCounts.add(hook, delivery.state, -1, -weightOf(delivery));
    this.#keeper?.delete(n);
    deliveries.delete(delivery);
  }

  #moveToDeadLetters(delivery: Delivery): void {
    this.#delete(delivery.hook, delivery.n);
    this.#put({ ...delivery, state: 'dead' });
    for (;;) {
      const owner = this.#deliveryCounts.dead.excess(delivery.hook);
      const oldest = owner && this.#of(owner).oldestDead;
      if (!oldest) return;
      this.#delete(oldest.hook, oldest.n);
      this.#listener.dropped(appOfHook(oldest.hook), 'dead_letter', 1);
    }
  }
}

function weightOf({ events, attempts }: Delivery): number {
  return bytesOf(events) + bytesOfAttempts(attempts);
}

function withAttempt(delivery: Delivery, attempt: Attempt): Delivery {
  return { ...delivery, attempts: [...delivery.attempts, attempt].slice(-MAX_ATTEMPTS_KEPT) };
}
