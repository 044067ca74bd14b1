import type { Hook, HookKey } from '../apps/hook.ts';
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

/** What one hook has. Both maps are by number, in ascending order. */
interface Box {
  waiting: Map<number, Delivery>;
  readonly dead: Map<number, Delivery>;
  /** Numbers of waiting deliveries, in ascending order. */
  readonly lanes: Map<string, number[]>;
}

/** Keeps deliveries elsewhere as well: it is told of each change. */
export interface DeliveryKeeper {
  put(delivery: Delivery): void;
  delete(n: number): void;
}

/** Deliveries in this process. */
export class MemoryDeliveries implements Deliveries {
  readonly #id: string;
  readonly #now: () => number;
  readonly #keeper: DeliveryKeeper | undefined;
  readonly #boxes = new Map<HookKey, Box>();
  #count = 0;

  /** @param id names the outbox in the ids of its deliveries */
  constructor(id: string, now: () => number, keeper?: DeliveryKeeper) {
    this.#id = id;
    this.#now = now;
    this.#keeper = keeper;
  }

  /** How many deliveries there have been: the number of the last one. */
  get count(): number {
    return this.#count;
  }

  /** Takes back, at the start, what the keeper has kept. */
  restore(deliveries: readonly Delivery[], count: number): void {
    this.#count = count;
    for (const delivery of deliveries.toSorted((a, b) => a.n - b.n)) this.#place(delivery);
  }

  counts(hook: HookKey): Readonly<Record<DeliveryState, number>> {
    const counts = { pending: 0, failing: 0, dead: this.#box(hook).dead.size };
    for (const { state } of this.#box(hook).waiting.values()) counts[state] += 1;
    return counts;
  }

  lanes(hook: HookKey): readonly Lane[] {
    const { lanes, waiting } = this.#box(hook);
    return Array.from(lanes, ([name, [first = 0]]) => ({ name, dueAt: waiting.get(first)?.dueAt ?? 0 }));
  }

  async head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined> {
    const { lanes, waiting } = this.#box(hook);
    const numbers = lanes.get(lane) ?? [];
    const first = waiting.get(numbers[0] ?? 0);
    const candidates = numbers.slice(0, maxEvents).flatMap((n) => waiting.get(n) ?? []);
    const joined = joining(candidates, ({ attempts }) => attempts.length > 0);
    if (!first || joined.length < 2) return first;
    for (const { n } of joined.slice(1)) {
      waiting.delete(n);
      this.#keeper?.delete(n);
    }
    numbers.splice(1, joined.length - 1);
    const events = joined.map((delivery) => delivery.events).join(',');
    return this.#put({
      ...first,
      size: joined.length,
      events,
      id: deliveryIdOf(this.#id, first.n, joined.length),
    });
  }

  async acknowledge({ hook, n }: Delivery): Promise<void> {
    this.#delete(hook, n);
  }

  async fail({ hook, n }: Delivery, attempt: Attempt, dueAt: number): Promise<void> {
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

  async park({ hook, n }: Delivery, attempt: Attempt): Promise<void> {
    const delivery = this.#find(hook, n);
    if (delivery) this.#bury(withAttempt(delivery, attempt));
  }

  list(hook: HookKey, state: DeliveryState, after: number, limit: number): readonly Delivery[] {
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
    // They were put behind those that are younger.
    const box = this.#box(hook);
    box.waiting = new Map([...box.waiting].sort(([a], [b]) => a - b));
    for (const { lane } of found) box.lanes.get(lane)?.sort((a, b) => a - b);
    return found.length;
  }

  async skip(hook: HookKey, which: Which): Promise<number> {
    const found = this.#select(hook, which);
    for (const { n } of found) this.#delete(hook, n);
    return found.length;
  }

  /** Adds a delivery of one event. @returns when it is due */
  insert({ key, maxDelayMs }: Hook, lane: string, event: string, now: number): number {
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

  /** Makes the oldest beyond `max` waiting ones dead letters. @returns how many */
  overflow(hook: HookKey, max: number): number {
    const { waiting } = this.#box(hook);
    let parked = 0;
    for (const delivery of waiting.values()) {
      if (waiting.size <= max) break;
      this.#bury(delivery);
      parked += 1;
    }
    return parked;
  }

  /** Forgets dead letters that are too old or too many, and all that hooks left that are gone. */
  sweep(before: number, hooks: ReadonlySet<HookKey>, maxDead: number): void {
    for (const [hook, { dead, waiting }] of this.#boxes) {
      for (const { n, committedAt } of dead.values()) {
        if (committedAt >= before && dead.size <= maxDead) break;
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
    if ('state' in which) return this.list(hook, which.state, 0, Number.POSITIVE_INFINITY);
    return which.ids.flatMap((id) => this.#find(hook, numberOfDelivery(this.#id, id) ?? 0) ?? []);
  }

  #put(delivery: Delivery): Delivery {
    this.#keeper?.put(delivery);
    return this.#place(delivery);
  }

  #place(delivery: Delivery): Delivery {
    const { waiting, dead, lanes } = this.#box(delivery.hook);
    if (delivery.state === 'dead') {
      dead.set(delivery.n, delivery);
      return delivery;
    }
    if (!waiting.has(delivery.n)) {
      const numbers = lanes.get(delivery.lane);
      if (numbers) numbers.push(delivery.n);
      else lanes.set(delivery.lane, [delivery.n]);
    }
    waiting.set(delivery.n, delivery);
    return delivery;
  }

  #delete(hook: HookKey, n: number): void {
    const { waiting, dead, lanes } = this.#box(hook);
    const delivery = waiting.get(n);
    if (!delivery && !dead.has(n)) return;
    this.#keeper?.delete(n);
    dead.delete(n);
    if (!delivery) return;
    waiting.delete(n);
    const left = lanes.get(delivery.lane)?.filter((each) => each !== n) ?? [];
    if (left.length > 0) lanes.set(delivery.lane, left);
    else lanes.delete(delivery.lane);
  }

  #bury(delivery: Delivery): void {
    this.#delete(delivery.hook, delivery.n);
    this.#put({ ...delivery, state: 'dead' });
  }
}

function withAttempt(delivery: Delivery, attempt: Attempt): Delivery {
  return { ...delivery, attempts: [...delivery.attempts, attempt].slice(-MAX_ATTEMPTS_KEPT) };
}
