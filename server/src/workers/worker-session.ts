import type { BusListener, Counters, Left, Message, Roster } from '../adapter/adapter.ts';
import type { Topic } from '../adapter/topic.ts';
import type { ParentState } from './parent-state.ts';
import type { ParentApi, WorkerApi } from './protocol.ts';
import { override } from './rpc/capability.ts';
import { PackedEvent } from './rpc/packed-event.ts';
import type { Rpc } from './rpc/rpc.ts';

/**
 * The parent's side of one worker: what the worker may call, and a record of what it holds. When the worker ends,
 * in whichever way, its seats are left and its quota is released.
 */
export class WorkerSession {
  /** What the worker may call. */
  readonly api: ParentApi;
  readonly #state: ParentState;
  readonly #worker: BusListener;
  /** Quota that the worker holds, by key. */
  readonly #held = new Map<string, number>();
  #ended = false;

  /** @param metrics those of all processes as one */
  constructor(state: ParentState, worker: BusListener, metrics: () => Promise<string>) {
    const { core, router } = state;
    const { bus, roster, channelCache, history, lastPositions, idempotency, counters } = core.adapter;
    const { revocations, nodes, nonces, keyUses } = core.adapter;
    this.#state = state;
    this.#worker = worker;
    this.api = {
      bus: override(bus, {
        listen: (topic) => router.listen(topic, worker),
        ignore: (topic) => router.ignore(topic, worker),
      }),
      roster: override(roster, {
        join: (...args) => this.#join(...args),
        leave: (...args) => this.#leave(...args),
      }),
      channelCache,
      history,
      lastPositions,
      idempotency,
      counters: override(counters, {
        hold: (key, limit) => this.#hold(key, limit),
        release: (key) => this.#release(key),
      }),
      nonces,
      keyUses,
      revocations: override(revocations, {
        page: (cursor) => {
          // It admits no connection before it has read the kept revocations; it must be asked about later ones.
          router.awaitAnswersOf(worker);
          return revocations.page(cursor);
        },
      }),
      nodes,
      webhooks: core.webhooks.control,
      journal: core.journal,
      audit: {
        take: (entries) => core.audit?.take(entries),
        find: async (query) => core.audit?.find(query),
      },
      administrator: core.admin.administrator,
      apps: { caughtUp: async (app) => core.admin.caughtUp(app) },
      usage: { take: (figures) => core.usage.take(this, figures) },
      // Whatever the worker sends is a sign of life, so there is nothing to do for it here.
      group: { metrics, beat() {} },
    };
    router.connect(worker);
  }

  /** Publishes an event for which the worker wants no answer. */
  publish(bytes: Buffer): void {
    const event = new PackedEvent(bytes);
    this.#state.core.adapter.bus.publish(event)?.catch((error: unknown) => {
      this.#state.log.error({ err: error, topic: event.topic }, 'event of a worker not published');
    });
  }

  /**
   * Gives back everything that the worker held.
   *
   * @param isLost it was killed, so it has not reported everything that it counted
   */
  async end(isLost: boolean): Promise<void> {
    const { core, log, seats, router } = this.#state;
    this.#ended = true;
    core.usage.ended(this, isLost);
    const results = await Promise.allSettled([
      router.disconnect(this.#worker),
      ...seats.clear(this.#worker).map(({ topic, socketIds }) => this.#leaveAll(topic, socketIds)),
      ...[...this.#held].flatMap(([key, count]) =>
        Array.from({ length: count }, () => this.#counters.release(key)),
      ),
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) log.error({ err: failed.reason }, 'failed to release everything that a worker held');
  }

  get #counters(): Counters {
    return this.#state.core.adapter.counters;
  }

  get #roster(): Roster {
    return this.#state.core.adapter.roster;
  }

  readonly #join: Roster['join'] = async (topic, seat, options) => {
    const { seats } = this.#state;
    const { socketId } = seat;
    // Recorded before the roster answers: it is harmless to leave a seat that was not taken.
    seats.add(topic, socketId, { holder: this.#worker, userId: options?.member?.userId });
    const joined = await this.#roster.join(topic, seat, options);
    if (joined === 'full') seats.remove(topic, socketId);
    else if (this.#ended) await this.#roster.leave(topic, socketId, 'disconnected');
    return joined;
  };

  readonly #leave: Roster['leave'] = (topic, socketId, reason) => {
    this.#state.seats.remove(topic, socketId);
    return this.#roster.leave(topic, socketId, reason);
  };

  async #hold(key: string, limit: number): Promise<boolean> {
    const isHeld = await this.#counters.hold(key, limit);
    if (isHeld && this.#ended) await this.#counters.release(key);
    else if (isHeld) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    return isHeld;
  }

  async #release(key: string): Promise<void> {
    const count = this.#held.get(key) ?? 0;
    if (count === 0) return;
    if (count > 1) this.#held.set(key, count - 1);
    else this.#held.delete(key);
    await this.#counters.release(key);
  }

  async #leaveAll(topic: Topic, socketIds: readonly string[]): Promise<void> {
    let last: Left | undefined;
    for (const socketId of socketIds)
      last = (await this.#roster.leave(topic, socketId, 'disconnected')) ?? last;
    if (last) this.#state.counts.lapsed(topic, last);
  }
}

/** Passes a message on to a worker: an event as the bytes that it is packed in. */
export function passOn(message: Message, worker: Rpc<WorkerApi>): void {
  if (message instanceof PackedEvent) worker.sendEvent(message.bytes);
  else worker.notify('listener', 'deliver', [message]);
}
