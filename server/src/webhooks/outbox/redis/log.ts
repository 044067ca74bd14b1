import { z } from 'zod';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import { scripts } from '../../cluster/scripts.ts';
import { bytesOf } from '../delivery-counts.ts';
import type { FencedCommit } from '../fenced-commit.ts';
import type { EventPage } from '../outbox.ts';
import { Stock, type StockBounds } from '../stock.ts';

/** The hash that holds how many events of each app there are, and their bytes. */
export const LOG = 'log';
/** The hash that holds the last `seq` of each app. */
export const SEQUENCES = 'sequences';

/** Events that one step forgets. */
const PAGE = 100;
/** Pages of each app that one sweep forgets. */
const SWEEP_PAGES = 50;

const streamSchema = z.array(
  z.tuple([z.string(), z.tuple([z.string(), z.string(), z.string(), z.string()])]),
);
const amountSchema = z.tuple([z.number(), z.number()]);

export interface RedisLogParts {
  readonly commands: ScriptRunner;
  /** The prefix of all keys of webhooks. */
  readonly key: string;
  readonly commit: FencedCommit;
  readonly bounds: StockBounds;
  /** Called for events that were dropped because a bound was reached. */
  readonly forgot: (appId: string, count: number) => void;
}

interface StoredEvent {
  readonly id: string;
  readonly committedAt: number;
  readonly body: string;
}

/**
 * The latest committed events of each app, in a stream for each app. They are counted here, since no other node can
 * change them during the term.
 */
export class RedisLog {
  readonly #parts: RedisLogParts;
  readonly #sequences = new Map<string, number>();
  readonly #stock: Stock<string>;
  #trimming = false;

  constructor(parts: RedisLogParts) {
    this.#parts = parts;
    this.#stock = new Stock(parts.bounds);
  }

  /** Restores, at the start, a field of {@link SEQUENCES}. */
  restoreSequence(appId: string, seq: string): void {
    this.#sequences.set(appId, Number(seq));
  }

  /** Restores, at the start, a field of {@link LOG}. */
  restoreAmount(appId: string, json: string): void {
    const [count, bytes] = amountSchema.parse(JSON.parse(json));
    this.#stock.add(appId, count - this.#stock.countOf(appId), bytes - this.#stock.bytesOf(appId));
  }

  /** The `seq` of the next event of an app. */
  nextSeq(appId: string): number {
    return (this.#sequences.get(appId) ?? 0) + 1;
  }

  bytesOf(appId: string): number {
    return this.#stock.bytesOf(appId);
  }

  /** Within a commit. */
  append(appId: string, seq: number, body: string, committedAt: number): void {
    const { commit } = this.#parts;
    this.#sequences.set(appId, seq);
    commit.set(SEQUENCES, appId, String(seq));
    commit.run('XADD', `events:${appId}`, `${seq}-0`, 'at', String(committedAt), 'body', body);
    this.#change(appId, 1, bytesOf(body));
  }

  /** Within a commit. */
  forgetApp(appId: string): void {
    const { commit } = this.#parts;
    this.#sequences.delete(appId);
    this.#stock.add(appId, -this.#stock.countOf(appId), -this.#stock.bytesOf(appId));
    commit.set(SEQUENCES, appId, undefined);
    commit.set(LOG, appId, undefined);
    commit.run('DEL', `events:${appId}`);
  }

  async read(appId: string, afterSeq: number, limit: number): Promise<EventPage> {
    const lastSeq = this.#sequences.get(appId) ?? 0;
    const events = await this.#page(appId, afterSeq + 1, limit);
    return { events: events.map(({ body }) => body), lastSeq };
  }

  /** Forgets some of what was committed before a time. @throws Error if that fails for an app, after all others */
  async sweep(before: number): Promise<void> {
    const swept = await Promise.allSettled(
      this.#stock.owners().map((appId) => this.#sweepApp(appId, before)),
    );
    for (const result of swept) if (result.status === 'rejected') throw result.reason;
  }

  async #sweepApp(appId: string, before: number): Promise<void> {
    for (let pages = 0; pages < SWEEP_PAGES; pages += 1) {
      const page = await this.#page(appId, 0, PAGE);
      const old = page.filter(({ committedAt }) => committedAt < before);
      await this.#forget(appId, old, old.length);
      if (old.length < PAGE) break;
    }
  }

  /**
   * After an append for an app: forgets the oldest events over the bounds, and a twentieth more, so that this is not
   * needed for each event.
   */
  async trim(appId: string): Promise<void> {
    if (this.#trimming) return;
    this.#trimming = true;
    try {
      for (let owner = this.#stock.excess(appId); owner !== undefined; owner = this.#stock.excess(appId)) {
        const page = await this.#page(owner, 0, PAGE);
        if (page.length === 0) return;
        this.#parts.forgot(owner, await this.#forget(owner, page, this.#stock.countOf(owner) / 20));
      }
    } catch {
      // The commit has reported the error, or Redis does not answer; the next event tries again.
    } finally {
      this.#trimming = false;
    }
  }

  /** Forgets events as long as there are too many, and so many in any case. @returns how many it forgot */
  async #forget(appId: string, events: readonly StoredEvent[], atLeast: number): Promise<number> {
    const { commit } = this.#parts;
    return commit.add(() => {
      const ids: string[] = [];
      for (const { id, body } of events) {
        if (ids.length >= atLeast && this.#stock.excess(appId) === undefined) break;
        ids.push(id);
        this.#change(appId, -1, -bytesOf(body));
      }
      if (ids.length > 0) commit.run('XDEL', `events:${appId}`, ...ids);
      return ids.length;
    });
  }

  async #page(appId: string, fromSeq: number, limit: number): Promise<StoredEvent[]> {
    const { commands, key } = this.#parts;
    const answer = await commands.run(scripts.events, key, appId, fromSeq, limit);
    return streamSchema
      .parse(answer)
      .map(([id, [, committedAt, , body]]) => ({ id, committedAt: Number(committedAt), body }));
  }

  #change(appId: string, count: number, bytes: number): void {
    this.#stock.add(appId, count, bytes);
    const amount = [this.#stock.countOf(appId), this.#stock.bytesOf(appId)];
    this.#parts.commit.set(LOG, appId, JSON.stringify(amount));
  }
}
