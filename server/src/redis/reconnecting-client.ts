import type { Logger } from 'pino';
import { type BackoffRange, backoffMs } from '../async/backoff.ts';
import { Unavailable } from '../errors.ts';
import type { Connected, RedisClient } from './client.ts';
import { ConnectError, discard } from './connect-server.ts';

/** The pauses before attempts to reconnect. */
const PAUSES: BackoffRange = { firstMs: 50, mostMs: 2000 };
/** A connection that breaks before this age in milliseconds counts as a failed attempt. */
const STABLE_MS = 5000;
/** Tells the connections of brokers from others in `CLIENT LIST`. */
const CLIENT_NAME = 'countersign-';

/** A connection to Redis that is replaced by a new one whenever it breaks or does not answer. */
export class ReconnectingClient {
  readonly #parts: ReconnectingClientParts;
  #connected: Connected | undefined;
  #fault: string | undefined = 'Redis has not been reached yet';
  /** The last fault that was logged; `undefined` if a connection was logged after it. */
  #loggedFault: string | undefined;
  /** The last connection was stable, or there was none yet. */
  #wasStable = true;
  /** Attempts since the last stable connection. */
  #tries = 0;
  #losses = 0;
  /** Runs until the next attempt, or until the connection is stable. */
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: ReconnectingClientParts) {
    this.#parts = parts;
  }

  /** The purpose of the connection. */
  get name(): string {
    return this.#parts.name;
  }

  /** The number of connections that broke or did not answer. */
  get losses(): number {
    return this.#losses;
  }

  /** Why there is no connection; `undefined` if there is one. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * The connected client.
   *
   * @throws Unavailable if there is none
   */
  get client(): RedisClient {
    if (!this.#connected) throw new Unavailable(this.#fault);
    return this.#connected.client;
  }

  /** Starts connecting; resolves after the first attempt, whether or not it succeeded. */
  start(): Promise<void> {
    return this.#connect();
  }

  /** Replaces the connection, because it broke or does not answer. */
  fail(reason: string): void {
    const connected = this.#connected;
    if (!connected || this.#closed) return;
    this.#connected = undefined;
    discard(connected.client);
    this.#losses += 1;
    this.#logFault(reason, connected.server, 'redis lost');
    this.#connectLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#connected) discard(this.#connected.client);
    this.#connected = undefined;
    this.#fault = 'The connection to Redis is closed';
  }

  async #connect(): Promise<void> {
    const { name, connect, onOpen } = this.#parts;
    let connected: Connected;
    try {
      connected = await connect(CLIENT_NAME + name.replaceAll(' ', '-'));
    } catch (error) {
      const [server, cause] =
        error instanceof ConnectError ? [error.server, error.cause] : [undefined, error];
      this.#logFault(reasonOf(cause), server, 'redis not reached');
      this.#connectLater();
      return;
    }
    if (this.#closed) return discard(connected.client);
    connected.client.on('error', (error) => {
      if (connected === this.#connected) this.fail(reasonOf(error));
    });
    this.#connected = connected;
    this.#fault = undefined;
    // An unstable connection would fill the log: a logged fault stays until a connection is stable.
    if (this.#wasStable) this.#logConnected(connected);
    this.#wasStable = false;
    this.#timer = setTimeout(() => this.#markStable(connected), STABLE_MS);
    onOpen();
  }

  #markStable(connected: Connected): void {
    this.#wasStable = true;
    this.#tries = 0;
    if (this.#loggedFault !== undefined) this.#logConnected(connected);
  }

  #logConnected({ server }: Connected): void {
    const { name, log } = this.#parts;
    this.#loggedFault = undefined;
    log.info({ link: name, server }, 'redis connected');
  }

  #logFault(reason: string, server: string | undefined, event: 'redis lost' | 'redis not reached'): void {
    const { name, log } = this.#parts;
    this.#fault = reason;
    // All attempts that fail for the same reason are worth one line.
    if (reason !== this.#loggedFault) log.warn({ link: name, server, reason }, event);
    this.#loggedFault = reason;
  }

  #connectLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#tries += 1;
    this.#timer = setTimeout(() => void this.#connect(), backoffMs(this.#tries, Math.random(), PAUSES));
  }
}

export interface ReconnectingClientParts {
  /** The purpose of the connection, for the log and for `CLIENT LIST`. */
  readonly name: string;
  /** Connects under a name; rejects after a while if that is impossible. */
  readonly connect: (name: string) => Promise<Connected>;
  /** A new connection is there, without the subscriptions of the previous one. */
  readonly onOpen: () => void;
  readonly log: Logger;
}

/** Where in a script Redis refused something; it names the script by its hash, which says nothing to a reader. */
const WHERE_IN_SCRIPT = /[. ]*script: [0-9a-f]{40}, on @user_script:\d+\.?$/;

/** The message of an error, or its system code if it has none. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(WHERE_IN_SCRIPT, '') || ('code' in error ? String(error.code) : error.name);
}
