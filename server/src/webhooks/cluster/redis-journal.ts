import { randomBytes } from 'node:crypto';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Happening, Journal } from '../../adapter/journal.ts';
import type { Commands } from '../../adapter/redis/commands.ts';
import type { AppStore } from '../../apps/app.ts';
import { Unavailable } from '../../errors.ts';
import { isEdge, isWanted } from '../told.ts';
import type { Entry } from './entry.ts';
import { scripts } from './scripts.ts';

export interface RedisJournalParts {
  readonly commands: Commands;
  /** Names everything that webhooks keep. */
  readonly key: string;
  readonly apps: AppStore;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** Entries that are written in one step. */
const MAX_BATCH = 500;
/** Entries that may wait for Redis; further ones are refused. */
const MAX_WAITING = 100_000;
const RETRY_MS = 250;
/** Milliseconds that the end waits for what is not written yet. */
const END_MS = 2000;

interface Waiting {
  readonly entry: Entry;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * What happens on this node, written to a stream that the clerk of all nodes reads. What came or went is written as
 * soon as Redis can be reached again; anything else is refused while it cannot.
 */
export class RedisJournal implements Journal {
  readonly #parts: RedisJournalParts;
  readonly #writer = randomBytes(8).toString('hex');
  #waiting: Waiting[] = [];
  #batches = 0;
  #writing: Promise<void> | undefined;
  /** Why nothing can be written at present. */
  #fault: unknown;
  #isHandedOver = false;
  #closed = false;

  constructor(parts: RedisJournalParts) {
    this.#parts = parts;
  }

  record(happenings: readonly Happening[]): Promise<void> | undefined {
    const { apps, now } = this.#parts;
    const wanted = happenings.filter((each) => isWanted(apps, each));
    if (wanted.length === 0) return undefined;
    const entry = { at: now(), isHandedOver: this.#isHandedOver, happenings: wanted };
    if (this.#fault && !comesOrGoes(entry)) return Promise.reject(this.#fault);
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new Unavailable('Too many webhook events wait for Redis'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** This process ends: who leaves from now on has the time of a restart to come back to another one. */
  handOver(): void {
    this.#isHandedOver = true;
  }

  /** Writes what waits, if that succeeds soon, and ends. */
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
      this.#batches += 1;
      await this.#writeBatch(batch);
    }
    this.#writing = undefined;
  }

  /** Tries until it succeeds. The batch keeps its number, so that it is written once also if an answer was lost. */
  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const { commands, key, log } = this.#parts;
    for (let left = batch; left.length > 0 && !this.#closed; ) {
      try {
        const entries = left.map(({ entry }) => JSON.stringify(entry));
        const answer = await commands.run(scripts.record, key, this.#writer, this.#batches, ...entries);
        if (answer === 'full') throw new Unavailable('The journal of webhooks is full');
        this.#fault = undefined;
        for (const { resolve } of left) resolve();
        return;
      } catch (error) {
        if (!this.#fault) log.warn({ err: error }, 'webhook events wait for Redis');
        this.#fault = error;
        left = refuseAllBut(left, comesOrGoes, error);
        this.#waiting = refuseAllBut(this.#waiting, comesOrGoes, error);
        await delay(RETRY_MS);
      }
    }
  }
}

function comesOrGoes({ happenings }: Entry): boolean {
  return happenings.some(isEdge);
}

function refuseAllBut(
  waiting: readonly Waiting[],
  stays: (entry: Entry) => boolean,
  error: unknown,
): Waiting[] {
  const kept: Waiting[] = [];
  for (const each of waiting) {
    if (stays(each.entry)) kept.push(each);
    else each.reject(error);
  }
  return kept;
}

function ignore(): void {}
