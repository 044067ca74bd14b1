import { inSlices } from '../../../async/in-slices.ts';
import { Unavailable } from '../../../errors.ts';
import type { RedisClient } from '../../../redis/client.ts';
import type { ReconnectingClient } from '../../../redis/reconnecting-client.ts';
import { withTimeout } from '../../../redis/timeout.ts';
import type { Topic } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import { TopicStream, type TopicStreamParts } from './topic-stream.ts';

/** Topics that are subscribed at a time after a connection was lost. */
const SLICE = 500;

/** The topics that this node listens to, each subscribed once however many of its connections subscribe to it. */
export class Subscriber {
  readonly #link: ReconnectingClient;
  readonly #keys: Keys;
  readonly #pulse: string;
  readonly #first: Topic;
  readonly #heard: (json: string) => void;
  readonly #streams: TopicStreamParts;
  readonly #timeoutMs: number;
  readonly #topics = new Map<Topic, Listening>();
  /** The last step of each topic that has one in progress: the client must not run two at once. */
  readonly #steps = new Map<Topic, Promise<void>>();
  /** Subscribing the pulse on the last connection. */
  #pulseOpen: Promise<unknown> = Promise.resolve();
  /** When a heartbeat was sent that has not arrived yet, by the monotonic clock. */
  #pulseSentAt: number | undefined;
  /** Something could not be subscribed or fetched since the last connection. */
  #isBehind = false;

  /**
   * @param parts.pulse the channel on which this process receives its own heartbeats, and answers to its questions
   * @param parts.first the topic that catches up on a new connection before any other is subscribed: what it ends must not
   *   get what the others deliver
   */
  constructor(parts: {
    readonly link: ReconnectingClient;
    readonly keys: Keys;
    readonly pulse: string;
    readonly first: Topic;
    /** Receives answers. */
    readonly heard: (json: string) => void;
    readonly streams: TopicStreamParts;
    readonly timeoutMs: number;
  }) {
    this.#link = parts.link;
    this.#keys = parts.keys;
    this.#pulse = parts.pulse;
    this.#first = parts.first;
    this.#heard = parts.heard;
    this.#streams = parts.streams;
    this.#timeoutMs = parts.timeoutMs;
  }

  /** Messages arrive from the moment it resolves; if it rejects, as soon as Redis can be reached again. */
  listen(topic: Topic): Promise<void> {
    const present = this.#topics.get(topic);
    if (present) return present.open;
    const stream = new TopicStream(this.#streams, topic, this.#keys.topic(topic));
    const listening: Listening = { stream, client: undefined, current: undefined, open: Promise.resolve() };
    this.#topics.set(topic, listening);
    this.#open(topic, listening);
    return listening.open;
  }

  /** Resolves when messages of the topic arrive, or this node does not listen to it; rejects if they do not arrive yet. */
  async subscribed(topic: Topic): Promise<void> {
    await this.#topics.get(topic)?.open;
  }

  async ignore(topic: Topic): Promise<void> {
    if (!this.#topics.delete(topic)) return;
    await this.#enqueue(topic, async () => {
      // Without a connection nothing is subscribed.
      if (!this.#link.fault) await this.#link.client.sUnsubscribe(this.#keys.topic(topic));
    });
  }

  /** Subscribes everything again on a new connection, and fetches what was missed meanwhile. */
  async open(): Promise<void> {
    const heard = (json = ''): void => {
      this.#pulseSentAt = undefined;
      if (json !== '') this.#heard(json);
    };
    this.#isBehind = true;
    // A heartbeat of an earlier connection says nothing of this one.
    heard();
    this.#pulseOpen = withTimeout(this.#timeoutMs, this.#link.client.sSubscribe(this.#pulse, heard));
    await this.#pulseOpen;
    heard();
    await this.catchUp();
  }

  /** Retries what could not be subscribed or fetched. */
  async catchUp(): Promise<void> {
    if (!this.#isBehind || this.#link.fault) return;
    this.#isBehind = false;
    const reopen = async ([topic, listening]: [Topic, Listening]): Promise<void> => {
      if (this.#topics.get(topic) !== listening) return;
      this.#open(topic, listening);
      await listening.open.catch(ignoreError);
    };
    const all = [...this.#topics];
    await inSlices(
      all.filter(([topic]) => topic === this.#first),
      SLICE,
      reopen,
    );
    if (!this.isCurrent(this.#first)) return;
    await inSlices(
      all.filter(([topic]) => topic !== this.#first),
      SLICE,
      reopen,
    );
  }

  /** Whether nothing of a topic was missed, as far as is known. */
  isCurrent(topic: Topic): boolean {
    return !this.#link.fault && this.#topics.get(topic)?.current === this.#link.client;
  }

  /** Waits until nothing of a topic was missed. @throws Unavailable if it cannot catch up */
  caughtUp(topic: Topic): Promise<void> {
    return this.#isCurrentOn(this.#link.client, topic);
  }

  /** Waits until orders and answers arrive, as far as they can. */
  async hears(): Promise<void> {
    await this.#pulseOpen.catch(ignoreError);
    await this.caughtUp(this.#first);
  }

  /** A heartbeat is about to be sent: the last one must have arrived. */
  expectHeartbeat(): void {
    if (this.#link.fault) return;
    const now = performance.now();
    this.#pulseSentAt ??= now;
    if (now - this.#pulseSentAt > this.#timeoutMs) this.#link.fail('No messages arrive from Redis');
  }

  #open(topic: Topic, listening: Listening): void {
    const opened = this.#enqueue(topic, () => this.#subscribe(topic, listening));
    listening.open = opened;
    opened.catch(() => {
      listening.stream.markLate();
      this.#isBehind = true;
    });
  }

  async #subscribe(topic: Topic, listening: Listening): Promise<void> {
    const { client } = this.#link;
    const { stream } = listening;
    if (topic !== this.#first) await this.#isCurrentOn(client, this.#first);
    if (listening.client !== client) {
      stream.markBehind();
      const subscribed = client.sSubscribe(this.#keys.topic(topic), (json) => stream.receive(json));
      await withTimeout(this.#timeoutMs, subscribed).catch((cause: unknown) => {
        throw new Unavailable('Redis: the channel could not be subscribed', { cause });
      });
      listening.client = client;
    }
    await stream.catchUp();
    listening.current = client;
  }

  /** @throws Unavailable if the topic cannot catch up on this connection */
  async #isCurrentOn(client: RedisClient, topic: Topic): Promise<void> {
    const listening = this.#topics.get(topic);
    if (listening?.current === client) return;
    if (listening && !this.#steps.has(topic)) this.#open(topic, listening);
    await this.#steps.get(topic);
    if (listening?.current !== client) throw new Unavailable('Redis: what was missed has not been read yet');
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

/** A topic that this node listens to. */
interface Listening {
  readonly stream: TopicStream;
  /** The connection on which it is subscribed. */
  client: RedisClient | undefined;
  /** The connection on which it has caught up. */
  current: RedisClient | undefined;
  /** Resolves when messages arrive. */
  open: Promise<void>;
}
