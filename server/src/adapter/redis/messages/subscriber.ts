import { Unavailable } from '../../../errors.ts';
import type { RedisClient } from '../../../redis/client.ts';
import type { ReconnectingClient } from '../../../redis/reconnecting-client.ts';
import { withTimeout } from '../../../redis/timeout.ts';
import type { Topic } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import { TopicStream, type TopicStreamParts } from './topic-stream.ts';

/** A topic that this node listens to. */
interface Listening {
  readonly feed: TopicStream;
  /** The connection on which it is subscribed. */
  client: RedisClient | undefined;
  /** Resolves when messages arrive. */
  open: Promise<void>;
}

/** Topics that are subscribed at a time after the connection was lost. */
const SLICE = 500;

/** The topics that this node listens to, each subscribed once however many of its connections are in it. */
export class Subscriber {
  readonly #link: ReconnectingClient;
  readonly #keys: Keys;
  readonly #pulse: string;
  readonly #feeds: TopicStreamParts;
  readonly #timeoutMs: number;
  readonly #topics = new Map<Topic, Listening>();
  /** The last step of each topic that has one under way: the client must not do two at once. */
  readonly #steps = new Map<Topic, Promise<void>>();
  /** When a sign of life was sent that has not been heard yet, by the monotonic clock. */
  #pulseSentAt: number | undefined;
  /** Since the last connection something could not be subscribed or fetched. */
  #isBehind = false;

  /** @param parts.pulse the channel on which this process hears its own signs of life */
  constructor(parts: {
    readonly link: ReconnectingClient;
    readonly keys: Keys;
    readonly pulse: string;
    readonly feeds: TopicStreamParts;
    readonly timeoutMs: number;
  }) {
    this.#link = parts.link;
    this.#keys = parts.keys;
    this.#pulse = parts.pulse;
    this.#feeds = parts.feeds;
    this.#timeoutMs = parts.timeoutMs;
  }

  /** Messages arrive from the moment on in which it resolves; if it rejects, as soon as they can again. */
  listen(topic: Topic): Promise<void> {
    const present = this.#topics.get(topic);
    if (present) return present.open;
    const feed = new TopicStream(this.#feeds, topic, this.#keys.topic(topic));
    const listening: Listening = { feed, client: undefined, open: Promise.resolve() };
    this.#topics.set(topic, listening);
    this.#open(topic, listening);
    return listening.open;
  }

  /** Resolves when messages of the topic arrive, or nobody listens to it; rejects if they do not yet. */
  async settled(topic: Topic): Promise<void> {
    await this.#topics.get(topic)?.open;
  }

  async ignore(topic: Topic): Promise<void> {
    if (!this.#topics.delete(topic)) return;
    await this.#enqueue(topic, async () => {
      // Without a connection nothing is subscribed.
      if (!this.#link.fault) await this.#link.client.sUnsubscribe(this.#keys.topic(topic));
    });
  }

  /** There is a new connection: subscribes everything again, and fetches what was missed meanwhile. */
  async open(): Promise<void> {
    const heard = (): void => {
      this.#pulseSentAt = undefined;
    };
    this.#isBehind = true;
    await withTimeout(this.#timeoutMs, this.#link.client.sSubscribe(this.#pulse, heard));
    heard();
    await this.catchUp();
  }

  /** Does what could not be done before, if there is something. */
  async catchUp(): Promise<void> {
    if (!this.#isBehind || this.#link.fault) return;
    this.#isBehind = false;
    const topics = [...this.#topics];
    for (let from = 0; from < topics.length; from += SLICE) {
      const slice = topics
        .slice(from, from + SLICE)
        .filter(([topic, each]) => this.#topics.get(topic) === each);
      for (const [topic, listening] of slice) this.#open(topic, listening);
      await Promise.allSettled(slice.map(([, { open }]) => open));
    }
  }

  /** A sign of life is sent now; the last one must have been heard. */
  expectPulse(): void {
    if (this.#link.fault) return;
    const now = performance.now();
    this.#pulseSentAt ??= now;
    if (now - this.#pulseSentAt > this.#timeoutMs) this.#link.fail('No messages arrive from Redis');
  }

  #open(topic: Topic, listening: Listening): void {
    const opened = this.#enqueue(topic, () => this.#subscribe(topic, listening));
    listening.open = opened;
    opened.catch(() => {
      listening.feed.delay();
      this.#isBehind = true;
    });
  }

  async #subscribe(topic: Topic, listening: Listening): Promise<void> {
    const { client } = this.#link;
    const { feed } = listening;
    if (listening.client !== client) {
      const subscribed = client.sSubscribe(this.#keys.topic(topic), (json) => feed.receive(json));
      await withTimeout(this.#timeoutMs, subscribed).catch((cause: unknown) => {
        throw new Unavailable('Redis: the channel could not be subscribed', { cause });
      });
      listening.client = client;
    }
    await feed.catchUp();
  }

  #enqueue(topic: Topic, step: () => Promise<void>): Promise<void> {
    const before = this.#steps.get(topic);
    const running = before ? before.then(step, step) : step();
    const done: Promise<void> = running.catch(ignoreError).finally(() => {
      if (this.#steps.get(topic) === done) this.#steps.delete(topic);
    });
    this.#steps.set(topic, done);
    return running;
  }
}

function ignoreError(): void {}
