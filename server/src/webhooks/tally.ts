import type { HookKey } from '../apps/hook.ts';
import type { DeliveryState } from './outbox.ts';

type Counts = Record<DeliveryState, number>;

/** How many deliveries each hook has in each state, so that nobody has to count them. */
export class Tally {
  readonly #counts = new Map<HookKey, Counts>();

  of(hook: HookKey): Readonly<Counts> {
    return this.#counts.get(hook) ?? { pending: 0, failing: 0, dead: 0 };
  }

  /** Those that had a delivery, whether they stand or not. */
  hooks(): HookKey[] {
    return [...this.#counts.keys()];
  }

  add(hook: HookKey, state: DeliveryState, count = 1): void {
    let counts = this.#counts.get(hook);
    if (!counts) {
      counts = { pending: 0, failing: 0, dead: 0 };
      this.#counts.set(hook, counts);
    }
    counts[state] += count;
  }

  move(hook: HookKey, from: DeliveryState, to: DeliveryState): void {
    this.add(hook, from, -1);
    this.add(hook, to);
  }

  clear(): void {
    this.#counts.clear();
  }
}
