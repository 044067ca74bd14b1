import { z } from 'zod';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { boundsOf } from '../outbox/bounds.ts';
import type { Leadership } from '../outbox/fenced-commit.ts';
import { RedisOutbox } from '../outbox/redis/outbox.ts';
import { Webhooks, type WebhooksParts } from '../webhooks.ts';
import { type JournalEntry, readJournalEntry } from './journal-entry.ts';
import type { RosterPresence } from './roster-presence.ts';
import { scripts } from './scripts.ts';

export interface LeaderTermParts extends Omit<WebhooksParts, 'outbox' | 'presence'> {
  readonly commands: ScriptRunner;
  /** The prefix of all keys of webhooks. */
  readonly key: string;
  readonly leadership: Leadership;
  readonly presence: RosterPresence;
  /** The term failed: the caller must call {@link LeaderTerm.close}. */
  readonly onFailure: (error: unknown) => void;
}

/** Journal entries of one read. */
const PAGE = 500;
/** Milliseconds between two comparisons with the roster, which find arrivals and departures that a dead node did not record. */
const LOOK_MS = 60_000;

const pageSchema = z.array(z.tuple([z.string(), z.tuple([z.literal('entry'), z.string()])]));

/** The term of this node as leader: it reads the journal of all nodes, and delivers. */
export class LeaderTerm {
  readonly webhooks: Webhooks;
  readonly leadership: Leadership;
  readonly #parts: LeaderTermParts;
  readonly #outbox: RedisOutbox;
  #comparison: NodeJS.Timeout | undefined;
  /** The last entry that was read. */
  #position = '0-0';
  #hasNews = false;
  #reading: Promise<void> | undefined;
  #ended = false;

  private constructor(parts: LeaderTermParts, outbox: RedisOutbox) {
    this.#parts = parts;
    this.leadership = parts.leadership;
    this.#outbox = outbox;
    this.webhooks = new Webhooks({ ...parts, outbox });
    this.#scheduleComparison();
  }

  /** Continues the work of the previous leader. @throws Unavailable if Redis does not answer, or another node leads by now */
  static async begin(parts: LeaderTermParts): Promise<LeaderTerm> {
    const { config, commands, key, leadership, now, log, onFailure } = parts;
    const outbox = await RedisOutbox.open({
      commands,
      key,
      leadership,
      now,
      log,
      onFailure,
      ...boundsOf(config),
    });
    const term = new LeaderTerm(parts, outbox);
    term.webhooks.start(leadership.isHandedOver ? 'restart' : 'usual');
    term.wake();
    return term;
  }

  /** Reads the journal: it may have new entries. */
  wake(): void {
    this.#hasNews = true;
    if (this.#reading || this.#ended) return;
    this.#reading = this.#read()
      .catch((error: unknown) => this.#parts.onFailure(error))
      .finally(() => {
        this.#reading = undefined;
      });
  }

  /** Ends, and leaves the remaining work to the next leader. */
  async close(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#comparison);
    this.webhooks.handOver();
    await this.#reading;
    await this.webhooks.close();
  }

  #scheduleComparison(): void {
    if (!this.#ended) this.#comparison = setTimeout(() => void this.#compare(), LOOK_MS).unref();
  }

  async #compare(): Promise<void> {
    const { presence, log } = this.#parts;
    try {
      const present = await presence.present();
      if (!this.#ended) await this.webhooks.journal.compare(present);
    } catch (error) {
      log.warn({ err: error }, 'failed to compare webhooks with the roster, trying again later');
    }
    this.#scheduleComparison();
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
      this.#parts.log.error({ err: error, entry: id }, 'failed to read an entry of the webhook journal');
      return undefined;
    }
    return this.webhooks.journal.record(entry.happenings, entry);
  }
}
