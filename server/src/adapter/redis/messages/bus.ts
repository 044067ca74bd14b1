import { z } from 'zod';
import type { Position } from '../../../history/history.ts';
import type { Once } from '../../../idempotency/records.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Bus, Command, EventMessage, Keep, PublishedOnce, Version } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import type { CacheIndex } from '../cache-index.ts';
import type { HistoryIndex } from '../history/history-index.ts';
import { newNonce, positionOf } from '../history/ids.ts';
import type { Keys } from '../keys.ts';
import type { JournalRecorder } from '../roster/journal-recorder.ts';
import { scripts } from '../scripts.ts';
import { type Body, encodeBody, type Order } from './envelope.ts';
import type { Subscriber } from './subscriber.ts';

const publishedSchema = z.union([
  z.number().transform((version) => [version, undefined, undefined] as const),
  z.tuple([z.number(), z.number(), z.number()]),
]);
/** That an event was published before, its version, and its nonce or ''. */
const repeatedSchema = z.tuple([z.literal('repeated'), z.coerce.number(), z.string()]);

/** The topic of commands, to which every node listens; no app can have it. */
export const COMMANDS: Topic = ':commands';

interface SendOptions {
  /** What the message must wait for. */
  readonly recorded?: Promise<void> | undefined;
  readonly keep?: Keep | undefined;
  readonly once?: Once | undefined;
}

interface Sent {
  readonly version: Version;
  /** The nonce of an event that was published before. */
  readonly nonce?: number | undefined;
  readonly isNew: boolean;
}

/** Carries messages over Redis to all nodes that listen, including this one. */
export class RedisBus implements Bus {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #subscriber: Subscriber;
  readonly #recorder: JournalRecorder;
  readonly #cacheIndex: CacheIndex;
  readonly #historyIndex: HistoryIndex;
  /** The last message of each topic that waits for the journal; later ones wait for it. */
  readonly #waiting = new Map<Topic, Promise<void>>();

  constructor(
    commands: ScriptRunner,
    keys: Keys,
    subscriber: Subscriber,
    recorder: JournalRecorder,
    cacheIndex: CacheIndex,
    historyIndex: HistoryIndex,
  ) {
    this.#commands = commands;
    this.#keys = keys;
    this.#subscriber = subscriber;
    this.#recorder = recorder;
    this.#cacheIndex = cacheIndex;
    this.#historyIndex = historyIndex;
  }

  listen(topic: Topic): Promise<void> {
    return this.#subscriber.listen(topic);
  }

  ignore(topic: Topic): Promise<void> {
    return this.#subscriber.ignore(topic);
  }

  async publish(message: EventMessage, keep?: Keep): Promise<Position | undefined> {
    const { topic, name, data, userId, sender: socketId, traceparent } = message;
    const recorded =
      socketId === undefined
        ? undefined
        : this.#recorder.record([{ kind: 'clientEvent', topic, name, data, userId, socketId, traceparent }]);
    if (!keep?.history) {
      await this.#send(topic, bodyOf(message), { recorded, keep });
      return undefined;
    }
    const nonce = newNonce();
    const { version } = await this.#send(topic, bodyOf(message, nonce), { recorded, keep });
    return positionOf(topic, version, nonce);
  }

  async publishOnce(message: EventMessage, once: Once, keep?: Keep): Promise<PublishedOnce> {
    const nonce = keep?.history ? newNonce() : undefined;
    const { topic } = message;
    const sent = await this.#send(topic, bodyOf(message, nonce), { keep, once });
    const given = sent.isNew ? nonce : sent.nonce;
    const position = given === undefined ? undefined : positionOf(topic, sent.version, given);
    return { position, isNew: sent.isNew };
  }

  async publishCount(topic: Topic, count: number, version: Version): Promise<void> {
    const recorded = this.#recorder.record([{ kind: 'subscriptionCount', topic, count }]);
    await this.#send(topic, { kind: 'count', count, version }, { recorded });
  }

  async command(command: Command): Promise<void> {
    await this.#send(COMMANDS, command);
  }

  /** Sends to all nodes what they must not miss. */
  async order(order: Order): Promise<void> {
    await this.#send(COMMANDS, order);
  }

  #send(topic: Topic, body: Body, { recorded, keep = {}, once }: SendOptions = {}): Promise<Sent> {
    const ends = body.kind === 'question' && body.question.kind === 'revoke';
    const { lastSeconds, history } = keep;
    const send = async (): Promise<Sent> => {
      const message = encodeBody(body);
      const kept =
        history && body.kind === 'event'
          ? [history.seconds, history.messages, body.nonce ?? 0, body.except ?? '']
          : [];
      const answer = await this.#commands.runBeforeDeadline(
        scripts.publish,
        this.#keys.topic(topic),
        message,
        lastSeconds ?? '',
        ends ? 1 : 0,
        once?.id ?? '',
        once?.fingerprint ?? '',
        once?.seconds ?? '',
        ...kept,
      );
      const repeated = once && repeatedSchema.safeParse(answer).data;
      if (repeated) {
        const [, version, nonce] = repeated;
        return { version, nonce: nonce === '' ? undefined : Number(nonce), isNew: false };
      }
      const [version, bytes, age] = publishedSchema.parse(answer);
      if (history && bytes !== undefined) {
        this.#historyIndex.note(topic, { bytes, age, seconds: history.seconds });
      }
      if (lastSeconds !== undefined) {
        const size = Buffer.byteLength(message) + topic.length;
        this.#cacheIndex.note(topic, { version: String(version), bytes: size, seconds: lastSeconds });
      }
      return { version, isNew: true };
    };
    const before = this.#waiting.get(topic);
    if (!before && !recorded) return send();
    // The journal reports its own failures; the message is sent anyway.
    const ready = Promise.allSettled([before, recorded]);
    const sent = ready.then(send);
    const turn: Promise<void> = ready.then(() => {
      if (this.#waiting.get(topic) === turn) this.#waiting.delete(topic);
    });
    this.#waiting.set(topic, turn);
    return sent;
  }
}

/** An event as it travels: without its topic, which is the channel of Redis. */
function bodyOf(message: EventMessage, nonce?: number): Body {
  const { kind, name, data, userId, except, sender, traceparent } = message;
  return { kind, name, data, userId, except, sender, traceparent, nonce };
}
