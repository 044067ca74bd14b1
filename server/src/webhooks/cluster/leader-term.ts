import { z } from 'zod';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { boundsOf } from '../outbox/bounds.ts';
import type { Leadership } from '../outbox/fenced-commit.ts';
import { RedisOutbox } from '../outbox/redis-outbox.ts';
import { Webhooks, type WebhooksParts } from '../webhooks.ts';
import { type JournalEntry, readJournalEntry } from './journal-entry.ts';
import type { RosterPresence } from './roster-presence.ts';
import { scripts } from './scripts.ts';

export interface LeaderTermParts extends Omit<WebhooksParts, 'outbox' | 'witness'> {
  readonly commands: ScriptRunner;
  /** Names everything that webhooks keep. */
  readonly key: string;
  readonly tenure: Leadership;
  readonly witness: RosterPresence;
  /** It cannot go on: {@link LeaderTerm.close} is to be called. */
  readonly onFailure: (error: unknown) => void;
}

/** Entries of the journal that are read at a time. */
const PAGE = 500;
/** Milliseconds after which it is looked again who has come or gone without a record, because a node died with it. */
const LOOK_MS = 60_000;

const pageSchema = z.array(z.tuple([z.string(), z.tuple([z.literal('entry'), z.string()])]));

/** The time in which this node is the clerk: it reads the journal of all nodes, and delivers. */
export class LeaderTerm {
  readonly webhooks: Webhooks;
  readonly tenure: Leadership;
  readonly #parts: LeaderTermParts;
  readonly #outbox: RedisOutbox;
  #look: NodeJS.Timeout | undefined;
  /** The last entry that was read. */
  #position = '0-0';
  #hasNews = false;
  #reading: Promise<void> | undefined;
  #ended = false;

  private constructor(parts: LeaderTermParts, outbox: RedisOutbox) {
    this.#parts = parts;
    this.tenure = parts.tenure;
    this.#outbox = outbox;
    this.webhooks = new Webhooks({ ...parts, outbox });
    this.#lookLater();
  }

  /** Takes over what the one before has left. @throws Unavailable if Redis does not answer, or somebody else was faster */
  static async begin(parts: LeaderTermParts): Promise<LeaderTerm> {
    const { config, commands, key, tenure, now, onFailure } = parts;
    const outbox = await RedisOutbox.open({ commands, key, tenure, now, onFailure, ...boundsOf(config) });
    const term = new LeaderTerm(parts, outbox);
    term.webhooks.start(tenure.isHandedOver ? 'restart' : 'usual');
    term.wake();
    return term;
  }

  /** There may be something new in the journal. */
  wake(): void {
    this.#hasNews = true;
    if (this.#reading || this.#ended) return;
    this.#reading = this.#read()
      .catch((error: unknown) => this.#parts.onFailure(error))
      .finally(() => {
        this.#reading = undefined;
      });
  }

  /** Ends: what is not done yet is left to the next one. */
  async close(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#look);
    this.webhooks.handOver();
    await this.#reading;
    await this.webhooks.close();
  }

  #lookLater(): void {
    if (!this.#ended) this.#look = setTimeout(() => void this.#compare(), LOOK_MS).unref();
  }

  async #compare(): Promise<void> {
    const { witness, log } = this.#parts;
    try {
      const present = await witness.present();
      if (!this.#ended) await this.webhooks.journal.compare(present);
    } catch (error) {
      log.warn({ err: error }, 'it is not known who has come or gone without a record: it is looked again');
    }
    this.#lookLater();
  }

  async #read(): Promise<void> {
    const { commands, key } = this.#parts;
    while (this.#hasNews && !this.#ended) {
      this.#hasNews = false;
      const page = pageSchema.parse(await commands.run(scripts.read, key, this.#position, PAGE));
      if (page.length === 0 || this.#ended) continue;
      this.#hasNews ||= page.length === PAGE;
      await this.#take(page.map(([id, [, json]]) => ({ id, json })));
    }
  }

  async #take(page: readonly { readonly id: string; readonly json: string }[]): Promise<void> {
    await this.#outbox.consume(
      page.map(({ id }) => id),
      page.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0),
      () => Promise.all(page.map(({ id, json }) => this.#record(id, json))),
    );
  }

  #record(id: string, json: string): Promise<void> | undefined {
    this.#position = id;
    let entry: JournalEntry;
    try {
      entry = readJournalEntry(json);
    } catch (error) {
      this.#parts.log.error({ err: error, entry: id }, 'webhook journal has an entry that nobody can read');
      return undefined;
    }
    return this.webhooks.journal.record(entry.happenings, entry);
  }
}
