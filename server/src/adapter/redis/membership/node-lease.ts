import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Unavailable } from '../../../errors.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';

/** What a node asks of the parts of its adapter. */
export interface NodeListener {
  /** The node has a new id: what it holds must be taken under that before the old one lapses. */
  live(): Promise<void>;
  /** A sign of life is about to be sent. */
  beating(): void;
  /** Redis has answered: what went wrong before may be tried again. */
  heard(): void;
  /** Another node is gone: what it held is to be taken away. */
  bury(id: string): Promise<void>;
  /** Redis does not answer. */
  lost(reason: string): void;
}

/** A lease stands for this part of the time after which a dead node must be gone, and is renewed after half of that. */
const LEASE = 0.6;
const BEAT = 0.3;

const beatSchema = z.tuple([z.number(), z.union([z.literal(0), z.literal(1)]), z.string()]);

/**
 * This process among the nodes. What it holds in Redis is leased under an id, which other nodes take away when it
 * has not been heard of for a while. Whenever that may have happened, it begins a new life under a new id.
 */
export class NodeLease {
  /** By which one process tells its own signs of life from those of others; the ids of its lives begin with it. */
  readonly processId = randomBytes(8).toString('hex');
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #listener: NodeListener;
  readonly #log: Logger;
  readonly #leaseMs: number;
  readonly #beatMs: number;
  readonly #marginMs: number;
  #id: string | undefined;
  #lives = 0;
  #heartbeatMs: number | undefined;
  /** Until when the lease stands at least, by the monotonic clock. */
  #until = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  /** What it holds is taken under its id. */
  #settling: Promise<void> = Promise.resolve();
  /** The node whose seats it takes away. */
  #burying: Promise<void> | undefined;
  #closed = false;

  /** @param timeoutMs milliseconds within which a dead node is gone */
  constructor(parts: {
    readonly commands: ScriptRunner;
    readonly keys: Keys;
    readonly listener: NodeListener;
    readonly log: Logger;
    readonly timeoutMs: number;
    readonly commandTimeoutMs: number;
  }) {
    this.#commands = parts.commands;
    this.#keys = parts.keys;
    this.#listener = parts.listener;
    this.#log = parts.log;
    this.#leaseMs = parts.timeoutMs * LEASE;
    this.#beatMs = parts.timeoutMs * BEAT;
    this.#marginMs = parts.commandTimeoutMs;
  }

  /**
   * The id under which something can be held now.
   *
   * @throws Unavailable if it could be taken away before it is there
   */
  get id(): string {
    if (this.#id === undefined || performance.now() + this.#marginMs > this.#until) {
      throw new Unavailable('This node has not reached Redis for a while');
    }
    return this.#id;
  }

  /** Seconds until the last heartbeat was answered; `undefined`: none was yet. */
  get heartbeatSeconds(): number | undefined {
    return this.#heartbeatMs === undefined ? undefined : this.#heartbeatMs / 1000;
  }

  /** Whether an id is that of a life of this process. */
  isOwn(id: string): boolean {
    return id.startsWith(this.processId);
  }

  /** Begins a new life: there is a new connection, or it is not known any more what Redis knows. */
  begin(): void {
    this.#id = undefined;
    this.#beat();
  }

  /** Resolves when what was begun is done, with or without success. */
  async settled(): Promise<void> {
    await this.#beating;
    await this.#settling;
  }

  /** Ends the lease; what it held is taken away by the caller. Answers the last id. */
  async close(): Promise<string | undefined> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.settled();
    return this.#id;
  }

  #beat(): void {
    clearTimeout(this.#timer);
    this.#beating = this.#beating
      .then(() => this.#turn())
      .catch((error: unknown) => this.#lose(error))
      .finally(() => {
        clearTimeout(this.#timer);
        if (!this.#closed) this.#timer = setTimeout(() => this.#beat(), this.#beatMs);
      });
  }

  async #turn(): Promise<void> {
    if (this.#closed) return;
    const gone = this.#id === undefined ? await this.#live() : await this.#stay(this.#id);
    this.#listener.heard();
    if (gone !== '') this.#bury(gone);
  }

  async #live(): Promise<string> {
    this.#lives += 1;
    const id = `${this.processId}.${this.#lives}`;
    const { gone } = await this.#renew(id, true);
    this.#id = id;
    // It may take longer than the lease stands, so the heartbeats go on meanwhile.
    this.#settling = this.#listener.live().then(
      () => this.#log.info({ node: id }, 'node joined'),
      (error: unknown) => this.#lose(error),
    );
    return gone;
  }

  async #stay(id: string): Promise<string> {
    const { stands, gone } = await this.#renew(id, false);
    if (stands) return gone;
    this.#log.warn({ node: id }, 'node had lapsed: it joins again');
    this.#id = undefined;
    await this.#live();
    return gone;
  }

  #bury(gone: string): void {
    this.#burying ??= this.#listener
      .bury(gone)
      .then(
        // There may be another one.
        () => this.#beat(),
        (error: unknown) =>
          this.#log.warn({ err: error, node: gone }, 'node not buried: another one will be asked'),
      )
      .finally(() => {
        this.#burying = undefined;
      });
  }

  #lose(error: unknown): void {
    this.#listener.lost(error instanceof Error ? error.message : String(error));
    if (!(error instanceof Unavailable)) this.#log.error({ err: error }, 'heartbeat failed');
  }

  async #renew(id: string, isNew: boolean): Promise<{ stands: boolean; gone: string }> {
    this.#listener.beating();
    const askedAt = performance.now();
    const leaseMicroseconds = Math.round(this.#leaseMs * 1000);
    const answer = await this.#commands.run(
      scripts.renewLease,
      this.#keys.nodes,
      id,
      leaseMicroseconds,
      isNew ? 1 : 0,
      this.#keys.pulse(this.processId),
    );
    const [time, stands, gone] = beatSchema.parse(answer);
    this.#heartbeatMs = performance.now() - askedAt;
    this.#commands.synchronize(time);
    if (stands === 1) this.#until = askedAt + this.#leaseMs;
    return { stands: stands === 1, gone };
  }
}
