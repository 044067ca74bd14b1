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

/** The deliveries of one hook. Both maps are by number, in ascending order. */
interface Box {
  waiting: Map<number, Delivery>;
  readonly dead: Map<number, Delivery>;
  /** Numbers of waiting deliveries, in ascending order. */
  readonly lanes: Map<string, Set<number>>;
}

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
  readonly #boxes = new Map<HookKey, Box>();
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
    const { lanes, waiting } = this.#box(hook);
    return Array.from(lanes, ([name, [first = 0]]) => ({ name, dueAt: waiting.get(first)?.dueAt ?? 0 }));
  }

  async head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined> {
    const { lanes, waiting } = this.#box(hook);
    const candidates: Delivery[] = [];
    for (const n of lanes.get(lane) ?? []) {
      if (candidates.length === maxEvents) break;
      const delivery = waiting.get(n);
      if (delivery) candidates.push(delivery);
    }
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
    const delivery = this.#find(hook, n);
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
    const delivery = this.#find(hook, n);
    if (delivery) this.#moveToDeadLetters(withAttempt(delivery, attempt));
  }

  async list(
    hook: HookKey,
    state: DeliveryState,
    after: number,
    limit: number,
  ): Promise<readonly Delivery[]> {
    return this.#list(hook, state, after, limit);
  }

  #list(hook: HookKey, state: DeliveryState, after: number, limit: number): readonly Delivery[] {
    const found: Delivery[] = [];
    const { waiting, dead } = this.#box(hook);
    for (const delivery of (state === 'dead' ? dead : waiting).values()) {
      if (found.length === limit) break;
      if (delivery.n > after && delivery.state === state) found.push(delivery);
    }
    return found;
  }

  async retry(hook: HookKey, which: Which): Promise<number> {
    const found = this.#select(hook, which);
    for (const delivery of found) {
      this.#delete(hook, delivery.n);
      this.#put({ ...delivery, state: 'pending', dueAt: this.#now(), tries: 0, triedSince: undefined });
    }
    // They were put behind newer ones.
    const box = this.#box(hook);
    box.waiting = new Map([...box.waiting].sort(([a], [b]) => a - b));
    for (const lane of new Set(found.map((each) => each.lane))) {
      box.lanes.set(lane, new Set([...(box.lanes.get(lane) ?? [])].sort((a, b) => a - b)));
    }
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
      const oldest = owner && first(this.#box(owner).waiting);
      if (!oldest) return;
      this.#moveToDeadLetters(oldest);
      this.#listener.overflowed(oldest.hook, 1);
    }
  }

  /** Forgets dead letters that are too old, and the deliveries of hooks that are gone. */
  sweep(before: number, hooks: ReadonlySet<HookKey>): void {
    for (const [hook, { dead, waiting }] of this.#boxes) {
      for (const { n, committedAt } of dead.values()) {
        if (committedAt >= before) break;
        this.#delete(hook, n);
      }
      if (hooks.has(hook)) continue;
      for (const { n, committedAt } of waiting.values()) if (committedAt < before) this.#delete(hook, n);
      if (waiting.size + dead.size === 0) this.#boxes.delete(hook);
    }
  }

  #box(hook: HookKey): Box {
    let box = this.#boxes.get(hook);
    if (!box) {
      box = { waiting: new Map(), dead: new Map(), lanes: new Map() };
      this.#boxes.set(hook, box);
    }
    return box;
  }

  #find(hook: HookKey, n: number): Delivery | undefined {
    const { waiting, dead } = this.#box(hook);
    return waiting.get(n) ?? dead.get(n);
  }

  #select(hook: HookKey, which: Which): readonly Delivery[] {
    if ('state' in which) return this.#list(hook, which.state, 0, Number.POSITIVE_INFINITY);
    return which.ids.flatMap((id) => this.#find(hook, numberOfDelivery(this.#id, id) ?? 0) ?? []);
  }

  #put(delivery: Delivery): Delivery {
    this.#keeper?.put(delivery);
    return this.#place(delivery);
  }

  #place(delivery: Delivery): Delivery {
    const { hook, state, n, lane } = delivery;
    const { waiting, dead, lanes } = this.#box(hook);
    const before = waiting.get(n) ?? dead.get(n);
    if (before) this.#deliveryCounts.add(hook, before.state, -1, -weightOf(before));
    this.#deliveryCounts.add(hook, state, 1, weightOf(delivery));
    if (state === 'dead') {
      dead.set(n, delivery);
      return delivery;
    }
    if (!before) {
      const numbers = lanes.get(lane);
      if (numbers) numbers.add(n);
      else lanes.set(lane, new Set([n]));
    }
    waiting.set(n, delivery);
    return delivery;
  }

  #delete(hook: HookKey, n: number): void {
    const { waiting, dead, lanes } = this.#box(hook);
    const delivery = waiting.get(n) ?? dead.get(n);
    if (!delivery) return;
    this.#deliveryCounts.add(hook, delivery.state, -1, -weightOf(delivery));
    this.#keeper?.delete(n);
    dead.delete(n);
    if (!waiting.delete(n)) return;
    const numbers = lanes.get(delivery.lane);
    numbers?.delete(n);
    if (numbers?.size === 0) lanes.delete(delivery.lane);
  }

  #moveToDeadLetters(delivery: Delivery): void {
    this.#delete(delivery.hook, delivery.n);
    this.#put({ ...delivery, state: 'dead' });
    for (;;) {
      const owner = this.#deliveryCounts.dead.excess(delivery.hook);
      const oldest = owner && first(this.#box(owner).dead);
      if (!oldest) return;
      this.#delete(oldest.hook, oldest.n);
      this.#listener.dropped(appOfHook(oldest.hook), 'dead_letter', 1);
    }
  }
}

function first(deliveries: ReadonlyMap<number, Delivery>): Delivery | undefined {
  for (const delivery of deliveries.values()) return delivery;
  return undefined;
}

function weightOf({ events, attempts }: Delivery): number {
  return bytesOf(events) + bytesOfAttempts(attempts);
}

function withAttempt(delivery: Delivery, attempt: Attempt): Delivery {
  return { ...delivery, attempts: [...delivery.attempts, attempt].slice(-MAX_ATTEMPTS_KEPT) };
}
