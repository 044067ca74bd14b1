import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Unavailable } from '../../../errors.ts';
import { reasonOf } from '../../../redis/reconnecting-client.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';

/** Duration and renewal interval of a lease, as fractions of the time within which a dead node must be gone. */
const LEASE = 0.6;
const HEARTBEAT = 0.3;

const renewalSchema = z.tuple([z.number(), z.union([z.literal(0), z.literal(1)]), z.string()]);

/**
 * The membership of this process in the cluster. What the node holds in Redis is leased under an id; when the node stops
 * renewing the lease, other nodes remove what it held. Whenever that may have happened, the node joins under a new id.
 */
export class NodeLease {
  /** Tells the heartbeats of this process from those of others; all its node ids begin with it. */
  readonly processId = randomBytes(8).toString('hex');
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #listener: NodeListener;
  readonly #log: Logger;
  readonly #leaseMs: number;
  readonly #heartbeatIntervalMs: number;
  readonly #marginMs: number;
  #id: string | undefined;
  #generation = 0;
  #heartbeatMs: number | undefined;
  /** Until when the lease holds at least, by the monotonic clock. */
  #until = 0;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: Promise<void> = Promise.resolve();
  /** Taking what the node holds under its id. */
  #joining: Promise<void> = Promise.resolve();
  /** The clean-up of a dead node. */
  #cleaningUp: Promise<void> | undefined;
  #closed = false;

  /** @param parts.timeoutMs milliseconds within which a dead node is gone */
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
    this.#heartbeatIntervalMs = parts.timeoutMs * HEARTBEAT;
    this.#marginMs = parts.commandTimeoutMs;
  }

  /**
   * The id under which something can be held now.
   *
   * @throws Unavailable if the lease could lapse before Redis has it
   */
  get id(): string {
    if (this.#id === undefined || !this.holdsLease) {
      throw new Unavailable('This node has not reached Redis for a while');
    }
    return this.#id;
  }

  /** Whether Redis was reached a short time ago. */
  get holdsLease(): boolean {
    return this.#id !== undefined && performance.now() + this.#marginMs <= this.#until;
  }

  /** Seconds until the last heartbeat was answered; `undefined`: none was yet. */
  get heartbeatSeconds(): number | undefined {
    return this.#heartbeatMs === undefined ? undefined : this.#heartbeatMs / 1000;
  }

  /** Whether an id is, or was, one of this process. */
  isOwn(id: string): boolean {
    return id.startsWith(this.processId);
  }

  /** Joins under a new id, because a new connection may have met another state of Redis. */
  rejoin(): void {
    this.#id = undefined;
    this.#scheduleHeartbeat();
  }

  /** Resolves when the heartbeat and the join in progress are done, with or without success. */
  async settled(): Promise<void> {
    await this.#heartbeat;
    await this.#joining;
  }

  /** Stops renewing the lease. Answers the last id, whose resources the caller removes. */
  async close(): Promise<string | undefined> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.settled();
    return this.#id;
  }

  #scheduleHeartbeat(): void {
    clearTimeout(this.#timer);
    this.#heartbeat = this.#heartbeat
      .then(() => this.#sendHeartbeat())
      .catch((error: unknown) => this.#lose(error))
      .finally(() => {
        clearTimeout(this.#timer);
        if (!this.#closed)
          this.#timer = setTimeout(() => this.#scheduleHeartbeat(), this.#heartbeatIntervalMs);
      });
  }

  async #sendHeartbeat(): Promise<void> {
    if (this.#closed) return;
    const dead = this.#id === undefined ? await this.#join() : await this.#renew(this.#id);
    this.#listener.onHeartbeat();
    if (dead !== '') this.#cleanUp(dead);
  }

  async #join(): Promise<string> {
    this.#generation += 1;
    const id = `${this.processId}.${this.#generation}`;
    const { dead } = await this.#requestLease(id, 'new');
    this.#id = id;
    // This may take longer than the lease holds, so heartbeats go on meanwhile.
    this.#joining = this.#listener.joined().then(
      () => this.#log.info({ node: id }, 'node joined'),
      (error: unknown) => this.#lose(error),
    );
    return dead;
  }

  async #renew(id: string): Promise<string> {
    const { holds, dead } = await this.#requestLease(id, 'known');
    if (holds) return dead;
    this.#log.warn({ node: id }, 'lease of this node lapsed; joining again');
    this.#id = undefined;
    await this.#join();
    return dead;
  }

  #cleanUp(dead: string): void {
    this.#cleaningUp ??= this.#listener
      .cleanUp(dead)
      .then(
        // There may be another dead node.
        () => this.#scheduleHeartbeat(),
        (error: unknown) =>
          this.#log.warn({ err: error, node: dead }, 'failed to clean up dead node; another node will retry'),
      )
      .finally(() => {
        this.#cleaningUp = undefined;
      });
  }

  #lose(error: unknown): void {
    this.#listener.lost(reasonOf(error));
    if (!(error instanceof Unavailable)) this.#log.error({ err: error }, 'heartbeat failed');
  }

  async #requestLease(id: string, state: 'new' | 'known'): Promise<{ holds: boolean; dead: string }> {
    this.#listener.beforeHeartbeat();
    const askedAt = performance.now();
    const leaseMicroseconds = Math.round(this.#leaseMs * 1000);
    const answer = await this.#commands.run(
      scripts.renewLease,
      this.#keys.nodes,
      id,
      leaseMicroseconds,
      state === 'new' ? 1 : 0,
      this.#keys.pulse(this.processId),
    );
    const [time, holds, dead] = renewalSchema.parse(answer);
    this.#heartbeatMs = performance.now() - askedAt;
    this.#commands.synchronize(time);
    if (holds === 1) this.#until = askedAt + this.#leaseMs;
    return { holds: holds === 1, dead };
  }
}

/** What the adapter does for its node. */
export interface NodeListener {
  /** The node has a new id: takes what the node holds under that id, before the old one lapses. */
  joined(): Promise<void>;
  /** A heartbeat is about to be sent. */
  beforeHeartbeat(): void;
  /** Redis has answered a heartbeat: what failed before may be tried again. */
  onHeartbeat(): void;
  /** Another node is dead: removes what it held. */
  cleanUp(id: string): Promise<void>;
  /** Redis does not answer. */
  lost(reason: string): void;
}
