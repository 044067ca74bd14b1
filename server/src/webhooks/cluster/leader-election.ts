import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { AppStore } from '../../apps/app.ts';
import { reasonOf } from '../../redis/reconnecting-client.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { type Leadership, logSetAside } from '../outbox/fenced-commit.ts';
import type { LeaderTerm } from './leader-term.ts';
import { scripts } from './scripts.ts';

export interface LeaderElectionParts {
  readonly commands: ScriptRunner;
  readonly apps: AppStore;
  /** The prefix of all keys of webhooks. */
  readonly key: string;
  readonly log: Logger;
  /** Milliseconds within which another node takes over if the leader dies. */
  readonly timeoutMs: number;
  begin(leadership: Leadership, onFailure: (error: unknown) => void): Promise<LeaderTerm>;
  /** Redis does not answer. */
  lost(reason: string): void;
}

/** Lease duration and renewal interval, as fractions of `timeoutMs`. */
const LEASE = 0.6;
const RENEWAL = 0.2;

const acquireSchema = z.tuple([z.string(), z.number(), z.number(), z.array(z.string())]);

interface Lease extends Leadership {
  until: () => number;
}

/**
 * Leader election: one node at a time delivers webhooks, and every other node tries to become the leader. After a failure
 * the leader gives up its leadership, and the next one begins with what Redis holds.
 */
export class LeaderElection {
  readonly #parts: LeaderElectionParts;
  readonly #leaseMs: number;
  #timer: NodeJS.Timeout | undefined;
  #lease: Lease | undefined;
  #term: LeaderTerm | undefined;
  #journalEntries = 0;
  #attempt: Promise<void> = Promise.resolve();
  /** Terms that begin or end. */
  readonly #transitions = new Set<Promise<void>>();
  #resigned: Promise<void> | undefined;

  constructor(parts: LeaderElectionParts) {
    this.#parts = parts;
    this.#leaseMs = parts.timeoutMs * LEASE;
  }

  /** The term of this node; `undefined` if another node is the leader. */
  get term(): LeaderTerm | undefined {
    return this.#term;
  }

  /** Number of entries in the journal at the last renewal. */
  get journalEntries(): number {
    return this.#journalEntries;
  }

  start(): void {
    this.#timer = setInterval(() => this.acquire(), this.#parts.timeoutMs * RENEWAL);
    this.acquire();
  }

  /** Tries to become the leader, or renews the leadership. */
  acquire(): void {
    this.#attempt = this.#attempt
      .then(() => this.#acquire())
      .catch((error: unknown) => {
        this.#parts.lost(reasonOf(error));
        if (this.#lease && performance.now() > this.#lease.until()) this.#fail(this.#lease, error);
      });
  }

  /** Hands the leadership over once what is in flight is done. This node does not become the leader again. */
  resign(): Promise<void> {
    this.#resigned ??= this.#handOver();
    return this.#resigned;
  }

  async #handOver(): Promise<void> {
    await this.#attempt;
    while (this.#transitions.size > 0) await Promise.all(this.#transitions);
    const term = this.#term;
    // The lease is renewed until the last request is answered: its outcome can still be committed.
    await term?.close();
    clearInterval(this.#timer);
    await this.#attempt;
    const lease = this.#lease;
    this.#lease = undefined;
    this.#term = undefined;
    if (!lease) return;
    await this.#release(lease, 1);
    const deliveries = term?.webhooks.countWaiting() ?? 0;
    this.#parts.log[this.#levelOf('info')](
      { term: lease.id, deliveries },
      'webhook deliveries wait for the next leader',
    );
  }

  async #acquire(): Promise<void> {
    const { commands, key } = this.#parts;
    const lease = this.#lease;
    if (this.#resigned && !lease) return;
    const id = lease?.id ?? randomBytes(8).toString('hex');
    const askedAt = performance.now();
    const answer = await commands.run(scripts.acquireLeadership, key, id, Math.ceil(this.#leaseMs));
    const [leader, isHandedOver, journalEntries, keys] = acquireSchema.parse(answer);
    if (keys.length > 0) logSetAside(this.#parts.log, keys);
    this.#journalEntries = journalEntries;
    const isLeader = leader === id;
    const until = () => askedAt + this.#leaseMs;
    if (lease && isLeader) lease.until = until;
    else if (lease) this.#fail(lease, new Error('Another node is the leader by now'));
    else if (isLeader) this.#track(this.#begin({ id, until, isHandedOver: isHandedOver === 1 }));
  }

  async #begin(lease: Lease): Promise<void> {
    const { begin, log } = this.#parts;
    this.#lease = lease;
    try {
      const term = await begin(lease, (error) => this.#fail(lease, error));
      if (this.#lease !== lease) return await term.close();
      this.#term = term;
      log[this.#levelOf('info')]({ term: lease.id }, 'this node delivers webhooks now');
    } catch (error) {
      this.#fail(lease, error);
    }
  }

  /** Ends a term when it is unknown what Redis holds, or whether the lease lasts. */
  #fail(lease: Lease, error: unknown): void {
    if (this.#lease !== lease) return;
    const term = this.#term;
    this.#lease = undefined;
    this.#term = undefined;
    const level = this.#levelOf('warn');
    this.#parts.log[level]({ err: error, term: lease.id }, 'this node does not deliver webhooks any more');
    this.#track(this.#release(lease, 0));
    if (term) this.#track(term.close());
  }

  /**
   * Without webhooks a change of leader interests nobody; a leader is elected anyway, because a reload may add
   * webhooks.
   */
  #levelOf(usual: 'info' | 'warn'): 'info' | 'warn' | 'debug' {
    for (const { hooks } of this.#parts.apps.all()) if (hooks.length > 0) return usual;
    return 'debug';
  }

  async #release({ id }: Lease, isHandedOver: 0 | 1): Promise<void> {
    const { commands, key } = this.#parts;
    // If this fails, the lease expires soon.
    await commands.run(scripts.releaseLeadership, key, id, isHandedOver).catch(() => {});
  }

  #track(work: Promise<void>): void {
    const { log } = this.#parts;
    const done: Promise<void> = work
      .catch((error: unknown) => log.error({ err: error }, 'failed to end a term of the webhook leader'))
      .finally(() => this.#transitions.delete(done));
    this.#transitions.add(done);
  }
}
