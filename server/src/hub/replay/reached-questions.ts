import type { Adapter } from '../../adapter/adapter.ts';
import type { ConnectionInChannel, ReachedPlace } from '../../adapter/reached.ts';
import { topicOf } from '../../adapter/topic.ts';

/** Connections of one question. */
const MAX_CONNECTIONS = 1000;
/** Connections that may wait for a question to be asked: as many as handshakes. Beyond it nobody is asked. */
const MAX_WAITING = 10_000;

interface Open {
  readonly connection: ConnectionInChannel;
  readonly resolve: (place: ReachedPlace | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Asks all nodes how far connections have got that one of them may still hold. There is one question at a time: what
 * is to be asked meanwhile is asked together, so that a crowd that comes back costs few questions.
 */
export class ReachedQuestions {
  readonly #adapter: Adapter;
  readonly #onBound: () => void;
  #open: Open[] = [];
  #isAsking = false;
  #isFull = false;

  /** @param onBound called each time that too many wait */
  constructor(adapter: Adapter, onBound: () => void) {
    this.#adapter = adapter;
    this.#onBound = onBound;
  }

  /** @returns `undefined` if no node knows it that answered in time, or nobody was asked */
  async ask(connection: ConnectionInChannel): Promise<ReachedPlace | undefined> {
    if (this.#open.length >= MAX_WAITING) {
      if (!this.#isFull) this.#onBound();
      this.#isFull = true;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      this.#open.push({ connection, resolve, reject });
      if (!this.#isAsking) void this.#askAll();
    });
  }

  /** Never rejects: a question that fails rejects those who wait for it. */
  async #askAll(): Promise<void> {
    this.#isAsking = true;
    // What the same turn asks for goes with the first question.
    await undefined;
    while (this.#open.length > 0) {
      const asked = this.#open.splice(0, MAX_CONNECTIONS);
      this.#isFull = false;
      try {
        const connections = asked.map(({ connection }) => connection);
        const { reached } = await this.#adapter.nodes.ask({ kind: 'reached', connections });
        const places = new Map(reached.map((each) => [keyOf(each), each]));
        for (const { connection, resolve } of asked) resolve(places.get(keyOf(connection)));
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#isAsking = false;
  }
}

/** Unique, because socket ids hold no space. */
export function keyOf({ appId, channel, socketId }: ConnectionInChannel): string {
  return `${socketId} ${topicOf(appId, channel)}`;
}
