import type { Logger } from 'pino';
import { z } from 'zod';
import { severityOf } from '../../../errors.ts';
import { reasonOf } from '../../../redis/reconnecting-client.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Version } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import { scripts } from '../scripts.ts';
import { type Envelope, readEnvelope } from './envelope.ts';

/** The position of a topic without messages. */
const START = 0;

const sinceSchema = z.tuple([z.number(), z.number(), z.array(z.string()), z.number()]);

/**
 * The messages of one topic, each once and in order. Each message carries the position of the previous one, which shows a
 * gap, to be filled from the topic's log, and a loss of data in Redis.
 */
export class TopicStream {
  readonly #parts: TopicStreamParts;
  readonly #topic: Topic;
  readonly #key: string;
  /** The position up to which everything was delivered or does not concern this node. */
  #seen: number | undefined;
  #catchingUp: Promise<void> | undefined;
  /** Messages may have been missed, and have not been fetched yet. */
  #isBehind = false;
  /** A message arrived while the log was read, which may not contain it. */
  #arrived = false;
  /** The topic could not be subscribed when it was asked for. */
  #startedLate = false;
  /** The last fault that was logged; `undefined` after a success. */
  #lastLoggedFault: string | undefined;

  constructor(parts: TopicStreamParts, topic: Topic, key: string) {
    this.#parts = parts;
    this.#topic = topic;
    this.#key = key;
  }

  receive(json: string): void {
    if (this.#catchingUp) {
      this.#arrived = true;
      return;
    }
    const envelope = this.#read(json);
    if (!envelope || this.#seen === undefined || envelope.version <= this.#seen) return;
    // A topic without seats may have been forgotten meanwhile. After a broken connection Redis may have lost the topic
    // instead, so what was missed is fetched before anything new is delivered.
    const isNext = envelope.previous === this.#seen || envelope.previous === START;
    if (isNext && !this.#isBehind) return this.#deliver(envelope);
    this.catchUp().catch((error: unknown) => this.#logFault(error));
  }

  /** The connection is a new one: nothing is delivered until {@link catchUp} has succeeded. */
  markBehind(): void {
    this.#isBehind = true;
  }

  /** The topic could not be subscribed yet. */
  markLate(): void {
    this.#startedLate = true;
  }

  /**
   * Fetches what was missed since the last message, or starts with the messages from now on. To be called when the topic
   * is subscribed, and again whenever it may not have been for a while.
   */
  catchUp(): Promise<void> {
    this.#catchingUp ??= this.#fetch().finally(() => {
      this.#catchingUp = undefined;
    });
    return this.#catchingUp;
  }

  async #fetch(): Promise<void> {
    do {
      this.#arrived = false;
      const answer = await this.#parts.commands.run(scripts.since, this.#key, this.#seen ?? '');
      const [version, position, log, ended] = sinceSchema.parse(answer);
      this.#lastLoggedFault = undefined;
      this.#isBehind = false;
      if (this.#seen !== undefined) this.#replay(this.#seen, { version, position, log, ended });
      else this.#start(version, position);
    } while (this.#arrived);
  }

  #start(version: Version, position: Version): void {
    this.#seen = position;
    if (this.#startedLate) this.#parts.startedLate(this.#topic, version);
  }

  #replay(seen: Version, { version, position, log, ended }: Since): void {
    let covered = seen;
    let isComplete = true;
    for (const json of log) {
      const envelope = this.#read(json);
      if (!envelope || envelope.version <= covered) continue;
      isComplete &&= envelope.previous === covered;
      covered = envelope.version;
      this.#deliver(envelope);
    }
    this.#seen = position;
    if (isComplete && covered === position) return;
    const [first] = log;
    const isNew = position === START || (first !== undefined && this.#read(first)?.previous === START);
    // If the clock of Redis went back, new versions are lower than old ones: no subscriber can keep its state.
    const lost = version <= seen ? Number.POSITIVE_INFINITY : ended > seen ? ended : undefined;
    if (isNew) this.#parts.forgotten(this.#topic, version, lost);
    else this.#parts.missed(this.#topic, version, lost);
  }

  #deliver(envelope: Envelope): void {
    this.#seen = envelope.version;
    try {
      this.#parts.deliver(this.#topic, envelope);
    } catch (error) {
      this.#drop(error);
    }
  }

  #read(json: string): Envelope | undefined {
    try {
      return readEnvelope(json);
    } catch (error) {
      this.#drop(error);
      return undefined;
    }
  }

  #logFault(error: unknown): void {
    const reason = reasonOf(error);
    // Each message that arrives meanwhile causes another attempt.
    if (reason === this.#lastLoggedFault) return;
    this.#lastLoggedFault = reason;
    this.#parts.log[severityOf(error)](
      { topic: this.#topic, err: error },
      'failed to fetch missed messages; will retry',
    );
  }

  /** A message that cannot be read or delivered must not delay the others. */
  #drop(error: unknown): void {
    this.#parts.log.error({ topic: this.#topic, err: error }, 'message dropped');
  }
}

export interface TopicStreamParts {
  readonly commands: ScriptRunner;
  readonly log: Logger;
  deliver(topic: Topic, envelope: Envelope): void;
  /** More was missed than the log has. @param ended the version of the last end, if one may have been missed */
  missed(topic: Topic, version: Version, ended: Version | undefined): void;
  /** Redis has restarted the topic, because it lost it or the topic had no seats. What was missed is unknown. */
  forgotten(topic: Topic, version: Version, ended: Version | undefined): void;
  /** The stream starts only now, although subscribers may have a snapshot of the topic already. */
  startedLate(topic: Topic, version: Version): void;
}

/** The state of a topic, and its messages after a position. */
interface Since {
  readonly version: Version;
  readonly position: Version;
  readonly log: readonly string[];
  /** The version of the last message that ended something, or 0. */
  readonly ended: Version;
}
