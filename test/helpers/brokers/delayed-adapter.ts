import type {
  Adapter,
  AdapterListener,
  Bus,
  ChannelCache,
  Counters,
  History,
  Message,
  Roster,
} from '#server/adapter/adapter';
import type { Journal } from '#server/adapter/journal';
import type { KeptKeyUses } from '#server/adapter/key-uses';
import type { Nonces } from '#server/adapter/nonces';
import type { Nodes } from '#server/adapter/questions';
import type { Revocations } from '#server/adapter/revocations';
import type { LastPositions } from '#server/history/last-positions';
import type { IdempotencyRecords } from '#server/idempotency/records';

/** Turns of the event loop that a delay takes at most. */
const MAX_TURNS = 100;

/**
 * Puts a random delay before every answer of an adapter, and before every message that it delivers, as a network
 * would: answers may overtake each other and messages, while messages of one topic stay in order.
 */
export class DelayedAdapter implements Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly channelCache: ChannelCache;
  readonly history: History;
  readonly lastPositions: LastPositions;
  readonly idempotency: IdempotencyRecords;
  readonly counters: Counters;
  readonly nonces: Nonces;
  readonly keyUses: KeptKeyUses;
  readonly revocations: Revocations;
  readonly nodes: Nodes;
  readonly #inner: Adapter;
  readonly #random: () => number;

  /** @param random numbers from 0 to 1 */
  constructor(inner: Adapter, random: () => number = Math.random) {
    this.#inner = inner;
    this.#random = random;
    this.roster = this.#delayed(inner.roster);
    this.channelCache = this.#delayed(inner.channelCache);
    this.history = this.#delayed(inner.history);
    this.lastPositions = this.#delayed(inner.lastPositions);
    this.idempotency = this.#delayed(inner.idempotency);
    this.counters = this.#delayed(inner.counters);
    this.bus = this.#delayed(inner.bus);
    this.nonces = this.#delayed(inner.nonces);
    this.keyUses = this.#delayed(inner.keyUses);
    this.revocations = this.#delayed(inner.revocations);
    this.nodes = this.#delayed(inner.nodes);
  }

  attach(listener: AdapterListener, journal: Journal): void {
    this.#inner.attach(this.#delayedListener(listener), journal);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #delayed<T extends object>(capability: T): T {
    return new Proxy(capability, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return async (...parameters: unknown[]) => {
          const answer: unknown = await Reflect.apply(member, target, parameters);
          await this.#delay();
          return answer;
        };
      },
    });
  }

  #delayedListener(listener: AdapterListener): AdapterListener {
    const last = new Map<string, Promise<void>>();
    return {
      deliver: (message: Message) => {
        const turn = (last.get(message.topic) ?? Promise.resolve())
          .then(() => this.#delay())
          .then(() => listener.deliver(message));
        last.set(message.topic, turn);
      },
      obey: (command) => void this.#delay().then(() => listener.obey(command)),
      missed: async (missed) => {
        await this.#delay();
        await listener.missed(missed);
      },
      answer: async (question) => {
        await this.#delay();
        return listener.answer(question);
      },
      proveAgain: () => listener.proveAgain(),
      lapsed: (topic, left) => listener.lapsed(topic, left),
    };
  }

  /** Mostly next to nothing and at times long, so that what is slow is overtaken by much. */
  async #delay(): Promise<void> {
    for (let turns = Math.floor(this.#random() ** 6 * MAX_TURNS); turns > 0; turns -= 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
