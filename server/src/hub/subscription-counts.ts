import type { Logger } from 'pino';
import type { Adapter, Message, Version } from '../adapter/adapter.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../adapter/topic.ts';
import type { App, AppStore } from '../apps/app.ts';
import { severityOf } from '../errors.ts';
import { type Channel, readChannel } from '../protocol/channel.ts';

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
  readonly #apps: AppStore;
  readonly #log: Logger;
  readonly #resting = new Map<Topic, Rest>();
  #closed = false;

  constructor(adapter: Adapter, apps: AppStore, log: Logger) {
    this.#adapter = adapter;
    this.#apps = apps;
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

  /** The same for seats that somebody else has left behind. */
  lapsed(topic: Topic, { subscriptions, version }: Count): void {
    const app = this.#apps.byId(appOfTopic(topic));
    const channel = readChannel(channelOfTopic(topic));
    if (app && channel && tellsCount(app, channel)) this.changed(topic, subscriptions, version);
  }

  /** Some node, maybe this one, has told a count: a big channel rests from now on, and a small one does no longer. */
  told({ topic, count, version }: Extract<Message, { kind: 'count' }>): void {
    const isBig = count > ALWAYS_TOLD;
    const rest = this.#resting.get(topic) ?? (isBig ? this.#begin(topic) : undefined);
    if (!rest) return;
    rest.told = Math.max(rest.told, version);
    if (isBig) this.#wait(topic, rest, INTERVAL_MS);
    else if (rest.changed <= rest.told) this.#end(topic, rest);
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

  #end(topic: Topic, { timer }: Rest): void {
    clearTimeout(timer);
    this.#resting.delete(topic);
  }

  #wait(topic: Topic, rest: Rest, milliseconds: number): void {
    // Whoever takes a turn may find that the rest has ended meanwhile.
    if (this.#closed || this.#resting.get(topic) !== rest) return;
    clearTimeout(rest.timer);
    rest.timer = setTimeout(() => {
      if (rest.changed > rest.told) void this.#takeTurn(topic, rest);
      else this.#end(topic, rest);
    }, milliseconds);
  }

  /**
   * Tells a count, unless another node has had its turn in this interval: then this one waits for the next interval.
   *
   * @param count without it the channel is counted afresh
   */
  async #takeTurn(topic: Topic, rest: Rest, count?: Count): Promise<void> {
    const { counters, roster, bus } = this.#adapter;
    try {
      const { hits, leftMs } = await counters.hit(`subscription_count:${topic}`, INTERVAL_MS);
      if (hits > 1) return this.#wait(topic, rest, leftMs);
      const { subscriptions, version } = count ?? (await roster.counts(topic));
      await bus.publishCount(topic, subscriptions, version);
      // Where nobody subscribes any more, the bus brings no news of it.
      this.told({ kind: 'count', topic, count: subscriptions, version });
    } catch (error) {
      this.#logFailure(topic, error);
      this.#wait(topic, rest, INTERVAL_MS);
    }
  }

  #logFailure(topic: Topic, error: unknown): void {
    this.#log[severityOf(error)]({ err: error, topic }, 'subscription count not told');
  }
}
