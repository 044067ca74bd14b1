import type { Logger } from 'pino';
import { Unavailable } from '../errors.ts';
import type { Connected, RedisClient } from './client.ts';
import { ConnectError, discard } from './connect-server.ts';

export interface ReconnectingClientParts {
  /** What the link is for, for the log and for `CLIENT LIST`. */
  readonly name: string;
  /** Makes a connection that is called so; rejects after a while if there is none. */
  readonly connect: (name: string) => Promise<Connected>;
  /** There is a new connection; what the one before it knew is gone. */
  readonly onOpen: () => void;
  readonly log: Logger;
}

/** Milliseconds before the first attempt to connect again; they double with each attempt. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;
/** A connection that broke before it was so many milliseconds old counts as an attempt. */
const STABLE_MS = 5000;
/** So that whoever looks at Redis sees who it is. */
const CLIENT_NAME = 'countersign-';

/** A connection to Redis. When it breaks or does not answer it is thrown away, and a new one is made, until it is closed. */
export class ReconnectingClient {
  readonly #parts: ReconnectingClientParts;
  #reached: Connected | undefined;
  #fault: string | undefined = 'Redis has not been reached yet';
  /** The fault that the log tells of; `undefined`: it tells of a connection. */
  #told: string | undefined;
  /** The last connection lasted, or there was none yet. */
  #lasted = true;
  /** Attempts since the last connection that lasted. */
  #tries = 0;
  #losses = 0;
  /** Until the next attempt, or until the connection has lasted. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: ReconnectingClientParts) {
    this.#parts = parts;
  }

  /** What the link is for. */
  get name(): string {
    return this.#parts.name;
  }

  /** Connections that broke or did not answer. */
  get losses(): number {
    return this.#losses;
  }

  /** Why there is no connection; `undefined`: there is one. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * The connected client.
   *
   * @throws Unavailable if there is none
   */
  get client(): RedisClient {
    if (!this.#reached) throw new Unavailable(this.#fault ?? 'The connection to Redis is closed');
    return this.#reached.client;
  }

  /** Begins; resolves after the first attempt, whether or not it succeeded. */
  start(): Promise<void> {
    return this.#connect();
  }

  /** Throws the connection away, because it broke or does not answer, and makes another one. */
  fail(reason: string): void {
    const reached = this.#reached;
    if (!reached || this.#closed) return;
    this.#reached = undefined;
    discard(reached.client);
    this.#losses += 1;
    this.#tellFault(reason, reached.server, 'redis lost');
    this.#connectLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#reached) discard(this.#reached.client);
    this.#reached = undefined;
  }

  async #connect(): Promise<void> {
    const { name, connect, onOpen } = this.#parts;
    let reached: Connected;
    try {
      reached = await connect(CLIENT_NAME + name.replaceAll(' ', '-'));
    } catch (error) {
      const [server, cause] =
        error instanceof ConnectError ? [error.server, error.cause] : [undefined, error];
      this.#tellFault(reasonOf(cause), server, 'redis not reached');
      this.#connectLater();
      return;
    }
    if (this.#closed) return discard(reached.client);
    reached.client.on('error', (error) => {
      if (reached === this.#reached) this.fail(reasonOf(error));
    });
    this.#reached = reached;
    this.#fault = undefined;
    // One that comes and goes would fill the log: what went wrong stays told until a connection has lasted.
    if (this.#lasted) this.#tellConnected(reached);
    this.#lasted = false;
    this.#timer = setTimeout(() => this.#settle(reached), STABLE_MS);
    onOpen();
  }

  #settle(reached: Connected): void {
    this.#lasted = true;
    this.#tries = 0;
    if (this.#told !== undefined) this.#tellConnected(reached);
  }

  #tellConnected({ server }: Connected): void {
    const { name, log } = this.#parts;
    this.#told = undefined;
    log.info({ link: name, server }, 'redis connected');
  }

  #tellFault(reason: string, server: string | undefined, event: 'redis lost' | 'redis not reached'): void {
    const { name, log } = this.#parts;
    this.#fault = reason;
    // Each attempt fails for the same reason, which is worth one line.
    if (reason !== this.#told) log.warn({ link: name, server, reason }, event);
    this.#told = reason;
  }

  #connectLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#tries, 10));
    this.#tries += 1;
    this.#timer = setTimeout(() => void this.#connect(), longest * (0.5 + Math.random() / 2));
  }
}

/** The script and the line at which Redis refused something: the script by a hash that nobody knows. */
const WHERE_IN_SCRIPT = /[. ]*script: [0-9a-f]{40}, on @user_script:\d+\.?$/;

/** What an error says, with the code of the system where it says nothing else. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(WHERE_IN_SCRIPT, '') || ('code' in error ? String(error.code) : error.name);
}
