import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { AppStore } from '../../apps/app.ts';
import { reasonOf } from '../../redis/reconnecting-client.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { Leadership } from '../outbox/fenced-commit.ts';
import type { LeaderTerm } from './leader-term.ts';
import { scripts } from './scripts.ts';

export interface LeaderElectionParts {
  readonly commands: ScriptRunner;
  readonly apps: AppStore;
  /** Names everything that webhooks keep. */
  readonly key: string;
  readonly log: Logger;
  /** Milliseconds within which somebody else is the clerk if the clerk dies. */
  readonly timeoutMs: number;
  begin(tenure: Leadership, onFailure: (error: unknown) => void): Promise<LeaderTerm>;
  /** Redis does not answer. */
  lost(reason: string): void;
}

/** The office is held for this part of that time without renewal, and asked for that often. */
const LEASE = 0.6;
const BEAT = 0.2;

const appointSchema = z.tuple([z.string(), z.number(), z.number()]);

interface Office extends Leadership {
  until: () => number;
}

/**
 * One node at a time is the clerk, and each stands ready to be it. After a failure it gives the office up, and whoever
 * takes it begins with what Redis holds.
 */
export class LeaderElection {
  readonly #parts: LeaderElectionParts;
  readonly #leaseMs: number;
  #timer: NodeJS.Timeout | undefined;
  #office: Office | undefined;
  #term: LeaderTerm | undefined;
  #journalEntries = 0;
  #turn: Promise<void> = Promise.resolve();
  /** Terms that begin or end. */
  readonly #moving = new Set<Promise<void>>();
  #closed = false;

  constructor(parts: LeaderElectionParts) {
    this.#parts = parts;
    this.#leaseMs = parts.timeoutMs * LEASE;
  }

  /** The term of this node, if it is the clerk. */
  get term(): LeaderTerm | undefined {
    return this.#term;
  }

  /** Entries that the journal had when the office was last asked for. */
  get journalEntries(): number {
    return this.#journalEntries;
  }

  start(): void {
    this.#timer = setInterval(() => this.stand(), this.#parts.timeoutMs * BEAT);
    this.stand();
  }

  /** Asks for the office, or to keep it. */
  stand(): void {
    this.#turn = this.#turn
      .then(() => this.#ask())
      .catch((error: unknown) => {
        this.#parts.lost(reasonOf(error));
        if (this.#office && performance.now() > this.#office.until()) this.#fail(this.#office, error);
      });
  }

  /** Hands the office over, once what is under way is done. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#turn;
    const office = this.#office;
    this.#office = undefined;
    while (this.#moving.size > 0) await Promise.all(this.#moving);
    await this.#term?.close();
    this.#term = undefined;
    if (office) await this.#resign(office, 1);
  }

  async #ask(): Promise<void> {
    if (this.#closed) return;
    const { commands, key } = this.#parts;
    const office = this.#office;
    const id = office?.id ?? randomBytes(8).toString('hex');
    const askedAt = performance.now();
    const answer = await commands.run(scripts.appoint, key, id, Math.ceil(this.#leaseMs));
    const [holder, handedOver, journalEntries] = appointSchema.parse(answer);
    this.#journalEntries = journalEntries;
    const isHolder = holder === id;
    const until = () => askedAt + this.#leaseMs;
    if (office && isHolder) office.until = until;
    else if (office) this.#fail(office, new Error('Another node is the clerk by now'));
    else if (isHolder) this.#move(this.#take({ id, until, isHandedOver: handedOver === 1 }));
  }

  async #take(office: Office): Promise<void> {
    const { begin, log } = this.#parts;
    this.#office = office;
    try {
      const term = await begin(office, (error) => this.#fail(office, error));
      if (this.#office !== office) return await term.close();
      this.#term = term;
      log[this.#levelOf('info')]({ term: office.id }, 'this node is the clerk of webhooks');
    } catch (error) {
      this.#fail(office, error);
    }
  }

  /** Ends a term of which it is not known what Redis holds, or whether it lasts. */
  #fail(office: Office, error: unknown): void {
    if (this.#office !== office) return;
    const term = this.#term;
    this.#office = undefined;
    this.#term = undefined;
    const level = this.#levelOf('warn');
    this.#parts.log[level](
      { err: error, term: office.id },
      'this node is not the clerk of webhooks any more',
    );
    this.#move(this.#resign(office, 0));
    if (term) this.#move(term.close());
  }

  /** Who is the clerk is no news where there are no webhooks: the office is there for those that a reload brings. */
  #levelOf(usual: 'info' | 'warn'): 'info' | 'warn' | 'debug' {
    for (const { hooks } of this.#parts.apps.all()) if (hooks.length > 0) return usual;
    return 'debug';
  }

  async #resign({ id }: Office, handsOver: 0 | 1): Promise<void> {
    const { commands, key } = this.#parts;
    // If it fails the office is free in a while all the same.
    await commands.run(scripts.resign, key, id, handsOver).catch(() => {});
  }

  #move(work: Promise<void>): void {
    const { log } = this.#parts;
    const done: Promise<void> = work
      .catch((error: unknown) =>
        log.error({ err: error }, 'a term of the clerk of webhooks did not end well'),
      )
      .finally(() => this.#moving.delete(done));
    this.#moving.add(done);
  }
}
