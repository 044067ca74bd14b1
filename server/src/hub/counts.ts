import type { Logger } from 'pino';
import type { Adapter, Message, Topic, Version } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import type { Channel } from '../protocol/channel.ts';

/** Up to this many subscriptions each change is told at once. */
const ALWAYS_TOLD = 100;
/** Milliseconds between two counts of a channel that has more, whichever nodes tell them. */
const INTERVAL_MS = 5000;

interface Count {
  readonly subscriptions: number;
  readonly version: Version;
}

/** A big channel of which a count was told a short time ago. */
interface Rest {
  /** The newest change that this node has made. */
  changed: Version;
  /** The newest count that was told, by whichever node. */
  told: Version;
  timer?: NodeJS.Timeout;
}

/** Presence channels tell their members, and user channels are nobody else's business. */
export function tellsCount(app: App, { kind }: Channel): boolean {
  return app.subscriptionCount && kind !== 'presence' && kind !== 'user';
}

/**
 * Tells subscribers how many they are: each change in small channels, at most every 5 seconds in big ones, where the
 * nodes take turns. Who has made a change takes turns until a count is told that includes it. So the last one is told
 * in the end, unless the node that has to tell it ends before: then it is told with the next change.
 */
export class CountAnnouncer {
  readonly #adapter: Adapter;
  readonly #log: Logger;
  readonly #resting = new Map<Topic, Rest>();
  #closed = false;

  constructor(adapter: Adapter, log: Logger) {
    this.#adapter = adapter;
    this.#log = log;
  }

  /** This node has changed who subscribes. While a channel rests that costs next to nothing. */
  changed(topic: Topic, subscriptions: number, version: Version): void {
    const resting = this.#resting.get(topic);
    if (resting) {
      resting.changed = Math.max(resting.changed, version);
    } else if (subscriptions > ALWAYS_TOLD) {
      const rest = this.#begin(topic);
      rest.changed = version;
      void this.#takeTurn(topic, rest, { subscriptions, version });
    } else {
      this.#adapter.bus
        .publishCount(topic, subscriptions, version)
        .catch((error: unknown) => this.#logFailure(topic, error));
    }
  }

  /** Some node, maybe this one, has told a count: big channels rest from now on. */
  told({ topic, count, version }: Extract<Message, { kind: 'count' }>): void {
    let rest = this.#resting.get(topic);
    if (!rest && count <= ALWAYS_TOLD) return;
    rest ??= this.#begin(topic);
    rest.told = Math.max(rest.told, version);
    this.#wait(topic, rest, INTERVAL_MS);
  }

  /** Ends all waits; counts that were not told yet are lost. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
  }

  #begin(topic: Topic): Rest {
    const rest = { changed: 0, told: 0 };
    this.#resting.set(topic, rest);
    return rest;
  }

  #wait(topic: Topic, rest: Rest, milliseconds: number): void {
    // A turn may end after the rest did.
    if (this.#closed || this.#resting.get(topic) !== rest) return;
    clearTimeout(rest.timer);
    rest.timer = setTimeout(() => {
      if (rest.changed > rest.told) void this.#takeTurn(topic, rest);
      else this.#resting.delete(topic);
    }, milliseconds);
  }

  /**
   * Tells a count, unless some node has had its turn in this interval, and waits for the next interval.
   *
   * @param count without it the channel is counted afresh
   */
  async #takeTurn(topic: Topic, rest: Rest, count?: Count): Promise<void> {
    let restMs = INTERVAL_MS;
    try {
      const { hits, resetAt } = await this.#adapter.counters.hit(`subscription_count:${topic}`, INTERVAL_MS);
      // The clock may have been set meanwhile.
      restMs = Math.min(resetAt - Date.now(), INTERVAL_MS);
      if (hits > 1) return;
      const { subscriptions, version } = count ?? (await this.#adapter.roster.counts(topic));
      await this.#adapter.bus.publishCount(topic, subscriptions, version);
      // Without a subscriber here, nobody tells this node of it.
      rest.told = Math.max(rest.told, version);
    } catch (error) {
      this.#logFailure(topic, error);
    } finally {
      this.#wait(topic, rest, restMs);
    }
  }

  #logFailure(topic: Topic, error: unknown): void {
    this.#log.error({ err: error, topic }, 'subscription count not told');
  }
}
