import { z } from 'zod';
import type { HookKey } from '../../../apps/hook.ts';
import type { FencedCommit } from '../fenced-commit.ts';
import { MemoryDeliveries, type MemoryDeliveriesParts } from '../memory/deliveries.ts';
import type { Attempt, Deliveries, Delivery, DeliveryState, Dispatched, Which } from '../outbox.ts';

/** The hash that holds each delivery, as JSON, under its number. */
export const DELIVERIES = 'deliveries';

export const hookKeySchema = z.templateLiteral([z.string(), ':', z.string()]);

export const deliverySchema = z
  .object({
    n: z.number(),
    id: z.string(),
    hook: hookKeySchema,
    lane: z.string(),
    state: z.enum(['pending', 'failing', 'dead']),
    committedAt: z.number(),
    dueAt: z.number(),
    size: z.number(),
    events: z.string(),
    tries: z.number(),
    triedSince: z.number().optional(),
    attempts: z.array(z.object({ at: z.number(), status: z.number().nullable(), answer: z.string() })),
  })
  .transform((delivery): Delivery => ({ ...delivery, triedSince: delivery.triedSince }));

/** Deliveries in Redis. All reads use a copy in this process, since no other node can change them during the term. */
export class RedisDeliveries implements Deliveries {
  readonly #commit: FencedCommit;
  /** The copy. It is ahead of Redis by the commit in progress, so answers wait for that. */
  readonly copy: MemoryDeliveries;

  constructor(commit: FencedCommit, parts: Omit<MemoryDeliveriesParts, 'keeper'>) {
    this.#commit = commit;
    this.copy = new MemoryDeliveries({
      ...parts,
      keeper: {
        put: (delivery) => commit.set(DELIVERIES, String(delivery.n), JSON.stringify(delivery)),
        delete: (n) => commit.set(DELIVERIES, String(n), undefined),
      },
    });
  }

  counts(hook: HookKey): Readonly<Record<DeliveryState, number>> {
    return this.copy.counts(hook);
  }

  lanes(hook: HookKey) {
    return this.copy.lanes(hook);
  }

  head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined> {
    return this.#commit.add(() => this.copy.head(hook, lane, maxEvents));
  }

  acknowledge(delivery: Dispatched): Promise<void> {
    return this.#commit.add(() => this.copy.acknowledge(delivery));
  }

  fail(delivery: Dispatched, attempt: Attempt, dueAt: number): Promise<void> {
    return this.#commit.add(() => this.copy.fail(delivery, attempt, dueAt));
  }

  park(delivery: Dispatched, attempt: Attempt): Promise<void> {
    return this.#commit.add(() => this.copy.park(delivery, attempt));
  }

  list(hook: HookKey, state: DeliveryState, after: number, limit: number): Promise<readonly Delivery[]> {
    return this.copy.list(hook, state, after, limit);
  }

  retry(hook: HookKey, which: Which): Promise<number> {
    return this.#commit.add(() => this.copy.retry(hook, which));
  }

  skip(hook: HookKey, which: Which): Promise<number> {
    return this.#commit.add(() => this.copy.skip(hook, which));
  }
}
