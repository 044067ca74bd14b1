import { randomBytes } from 'node:crypto';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { DomainEvent, Journal } from '../../adapter/journal.ts';
import { appOfTopic } from '../../adapter/topic.ts';
import type { AppStore } from '../../apps/app.ts';
import { Unavailable } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { isEdge, isWanted } from '../announced.ts';
import type { JournalEntry } from './journal-entry.ts';
import { scripts } from './scripts.ts';

export interface JournalWriterParts {
  readonly commands: ScriptRunner;
  /** The prefix of all keys of webhooks. */
  readonly key: string;
  readonly apps: AppStore;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** Entries of one write. */
const MAX_BATCH = 500;
/** Entries that may wait for Redis, and their bytes; further entries are refused. */
const MAX_WAITING = 100_000;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const RETRY_MS = 250;
/** Milliseconds that `close` waits for unwritten entries. */
const END_MS = 2000;

interface Waiting {
  readonly entry: JournalEntry;
  /** The serialized entry. */
  readonly json: string;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Writes the domain events of this node to a stream that the leader reads. While Redis is out of reach, arrivals and
 * departures wait for it, and all other events are refused.
 */
export class JournalWriter implements Journal {
  readonly #parts: JournalWriterParts;
  readonly #writer = randomBytes(8).toString('hex');
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Whether the queue has been full since it was last empty. */
  #isFull = false;
  #batches = 0;
  #writing: Promise<void> | undefined;
  /** The last error of Redis; `undefined` after a successful write. */
  #fault: unknown;
  #isHandedOver = false;
  #closed = false;

  constructor(parts: JournalWriterParts) {
    this.#parts = parts;
  }

  record(happenings: readonly DomainEvent[]): Promise<void> | undefined {
    const { apps, now } = this.#parts;
    const wanted = happenings.filter((each) => isWanted(apps, each));
    if (wanted.length === 0) return undefined;
    const entry = { at: now(), isHandedOver: this.#isHandedOver, happenings: wanted };
    const json = JSON.stringify(entry);
    if (this.#fault && !hasEdge(entry)) return this.#lose(entry, this.#fault);
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes + json.length > MAX_WAITING_BYTES) {
      if (!this.#isFull) this.#parts.log.error('webhook events are lost: too many wait for Redis');
      this.#isFull = true;
      return this.#lose(entry, new Unavailable('Too many webhook events wait for Redis'));
    }
    return new Promise((resolve, reject) => {
      this.#waitingBytes += json.length;
      this.#waiting.push({ entry, json, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Marks later entries: the node ends, so clients have `webhookRestartGraceSeconds` to come back to another node. */
  handOver(): void {
    this.#isHandedOver = true;
  }

  /** Writes waiting entries within {@link END_MS}, and ends. */
  async close(): Promise<void> {
    const ending = new AbortController();
    const tooLate = delay(END_MS, undefined, { signal: ending.signal }).catch(ignore);
    await Promise.race([this.#writing, tooLate]);
    ending.abort();
    this.#closed = true;
    for (const { reject } of this.#waiting) reject(new Unavailable('The broker has ended'));
    this.#waiting = [];
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      await nextTurn();
      const batch = this.#waiting.splice(0, MAX_BATCH);
      this.#waitingBytes -= bytesOf(batch);
      this.#batches += 1;
      await this.#writeBatch(batch);
    }
    this.#writing = undefined;
    this.#isFull = false;
  }

  /** Refuses entries without arrivals or departures. @returns those that keep waiting */
  #refuseAllEvents(waiting: readonly Waiting[], error: unknown): Waiting[] {
    return waiting.filter(({ entry, reject }) => {
      if (hasEdge(entry)) return true;
      this.#lose(entry, error).catch(reject);
      return false;
    });
  }

  #lose({ happenings }: JournalEntry, error: unknown): Promise<never> {
    for (const happening of happenings) {
      const appId = 'appId' in happening ? happening.appId : appOfTopic(happening.topic);
      this.#parts.metrics.app(appId).webhookEventsLost += 1;
    }
    return Promise.reject(error);
  }

  /** Retries until the write succeeds. The batch keeps its number, so a lost answer does not write it twice. */
  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const { commands, key, log } = this.#parts;
    for (let left = batch; left.length > 0 && !this.#closed; ) {
      try {
        const entries = left.map(({ json }) => json);
        const answer = await commands.run(scripts.record, key, this.#writer, this.#batches, ...entries);
        if (answer === 'full') throw new Unavailable('The journal of webhooks is full');
        this.#fault = undefined;
        for (const { resolve } of left) resolve();
        return;
      } catch (error) {
        if (!this.#fault) log.warn({ err: error }, 'webhook events wait for Redis');
        this.#fault = error;
        left = this.#refuseAllEvents(left, error);
        this.#waiting = this.#refuseAllEvents(this.#waiting, error);
        this.#waitingBytes = bytesOf(this.#waiting);
        await delay(RETRY_MS);
      }
    }
  }
}

function hasEdge({ happenings }: JournalEntry): boolean {
  return happenings.some(isEdge);
}

function bytesOf(waiting: readonly Waiting[]): number {
  return waiting.reduce((sum, { json }) => sum + json.length, 0);
}

function ignore(): void {}
