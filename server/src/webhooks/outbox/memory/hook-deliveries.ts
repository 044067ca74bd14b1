import type { Delivery, DeliveryState, Lane } from '../outbox.ts';

/** The deliveries of one hook in memory, and their order. */
export class HookDeliveries {
  /** By number, in ascending order. */
  #waiting = new Map<number, Delivery>();
  /** By number, in the order in which they became dead letters. */
  readonly #dead = new Map<number, Delivery>();
  /** Numbers of waiting deliveries, in ascending order. */
  readonly #lanes = new Map<string, Set<number>>();

  get isEmpty(): boolean {
    return this.#waiting.size + this.#dead.size === 0;
  }

  get oldestWaiting(): Delivery | undefined {
    return this.waiting().next().value;
  }

  get oldestDead(): Delivery | undefined {
    return this.dead().next().value;
  }

  waiting(): MapIterator<Delivery> {
    return this.#waiting.values();
  }

  dead(): MapIterator<Delivery> {
    return this.#dead.values();
  }

  find(n: number): Delivery | undefined {
    return this.#waiting.get(n) ?? this.#dead.get(n);
  }

  /** Lists deliveries of one state whose number is above `after`. */
  list(state: DeliveryState, after: number, limit: number): Delivery[] {
    const found: Delivery[] = [];
    for (const delivery of state === 'dead' ? this.dead() : this.waiting()) {
      if (found.length === limit) break;
      if (delivery.n > after && delivery.state === state) found.push(delivery);
    }
    return found;
  }

  lanes(): Lane[] {
    return Array.from(this.#lanes, ([name, [first = 0]]) => ({
      name,
      dueAt: this.#waiting.get(first)?.dueAt ?? 0,
    }));
  }

  /** The first deliveries of a lane. */
  heads(lane: string, limit: number): Delivery[] {
    const found: Delivery[] = [];
    for (const n of this.#lanes.get(lane) ?? []) {
      if (found.length === limit) break;
      const delivery = this.#waiting.get(n);
      if (delivery) found.push(delivery);
    }
    return found;
  }

  /** Adds a delivery, or replaces the one of the same number. */
  set(delivery: Delivery): void {
    const { state, n, lane } = delivery;
    if (state === 'dead') {
      this.#dead.set(n, delivery);
      return;
    }
    if (!this.find(n)) {
      const numbers = this.#lanes.get(lane);
      if (numbers) numbers.add(n);
      else this.#lanes.set(lane, new Set([n]));
    }
    this.#waiting.set(n, delivery);
  }

  delete({ n, lane }: Delivery): void {
    this.#dead.delete(n);
    if (!this.#waiting.delete(n)) return;
    const numbers = this.#lanes.get(lane);
    numbers?.delete(n);
    if (numbers?.size === 0) this.#lanes.delete(lane);
  }

  /** Restores the order after deliveries were added behind newer ones. */
  sort(lanes: Iterable<string>): void {
    this.#waiting = new Map([...this.#waiting].sort(([a], [b]) => a - b));
    for (const lane of lanes) {
      this.#lanes.set(lane, new Set([...(this.#lanes.get(lane) ?? [])].sort((a, b) => a - b)));
    }
  }
}
