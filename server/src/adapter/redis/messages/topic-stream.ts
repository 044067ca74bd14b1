import type { Logger } from 'pino';
import { z } from 'zod';
import { severityOf } from '../../../errors.ts';
import { reasonOf } from '../../../redis/reconnecting-client.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Version } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import { scripts } from '../scripts.ts';
import { type Envelope, readEnvelope } from './envelope.ts';

export interface TopicStreamParts {
  readonly commands: ScriptRunner;
  readonly log: Logger;
  deliver(topic: Topic, envelope: Envelope): void;
  /** More was missed than was still there. @param ended the version of the last end, if one may have been missed */
  missed(topic: Topic, version: Version, ended: Version | undefined): void;
  /** Redis has begun the topic anew: it has lost it, or nobody was in it. What was missed is not known. */
  forgotten(topic: Topic, version: Version, ended: Version | undefined): void;
  /** It begins only now, although somebody may have been told of the topic before. */
  late(topic: Topic, version: Version): void;
}

/** The position of a topic in which nothing was told yet. */
const NOTHING = 0;

const sinceSchema = z.tuple([z.number(), z.number(), z.array(z.string()), z.number()]);

/** How a topic stands, and what was told after a position. */
interface Since {
  readonly version: Version;
  readonly position: Version;
  readonly log: readonly string[];
  /** The version of the last message that ended something, or 0. */
  readonly ended: Version;
}

/**
 * The messages of one topic, each once and in order. Each names the position of the one before it, so it is seen when
 * one is missing, which is fetched from the topic's log, and when Redis has lost what it held.
 */
export class TopicStream {
  readonly #parts: TopicStreamParts;
  readonly #topic: Topic;
  readonly #key: string;
  /** The position up to which everything was delivered, or did not concern this node. */
  #seen: number | undefined;
  #catchingUp: Promise<void> | undefined;
  /** Something arrived while the log was read: it may not have been in it. */
  #arrived = false;
  /** It could not begin when it was to. */
  #isLate = false;
  /** Why nothing could be fetched, as the log was told; `undefined`: it could. */
  #told: string | undefined;

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
    // A topic that nobody sat in may have been forgotten meanwhile; where a link broke, what was missed is fetched first.
    if (envelope.previous === this.#seen || envelope.previous === NOTHING) return this.#deliver(envelope);
    this.catchUp().catch((error: unknown) => this.#tellFault(error));
  }

  /** The topic could not be subscribed. */
  delay(): void {
    this.#isLate = true;
  }

  /**
   * Fetches what was missed since the last message, or begins with what comes from now on. To be called once the
   * topic is subscribed, and again after it may have not been for a while.
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
      this.#told = undefined;
      if (this.#seen !== undefined) this.#replay(this.#seen, { version, position, log, ended });
      else this.#begin(version, position);
    } while (this.#arrived);
  }

  #begin(version: Version, position: Version): void {
    this.#seen = position;
    if (this.#isLate) this.#parts.late(this.#topic, version);
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
    const isNew = position === NOTHING || (first !== undefined && this.#read(first)?.previous === NOTHING);
    // If its clock is behind, what comes is older than what was before: nobody can go on with what it has.
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

  #tellFault(error: unknown): void {
    const reason = reasonOf(error);
    // Each message that arrives meanwhile is another attempt.
    if (reason === this.#told) return;
    this.#told = reason;
    this.#parts.log[severityOf(error)]({ topic: this.#topic, err: error }, 'missed messages not fetched yet');
  }

  /** One message that cannot be read or delivered must not hold up the others. */
  #drop(error: unknown): void {
    this.#parts.log.error({ topic: this.#topic, err: error }, 'message dropped');
  }
}
