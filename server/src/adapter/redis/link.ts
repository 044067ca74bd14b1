import type { Logger } from 'pino';
import { Unavailable } from '../../errors.ts';
import type { RedisClient } from './client.ts';
import { discard } from './connection.ts';

export interface LinkParts {
  /** What the link is for, for the log. */
  readonly name: string;
  /** Makes a connection; rejects after a while if there is none. */
  readonly connect: () => Promise<RedisClient>;
  /** There is a new connection; what the one before it knew is gone. */
  readonly onOpen: () => void;
  readonly log: Logger;
}

/** Milliseconds before the first attempt to connect again; they double with each attempt. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;
/** A connection that broke before it was so many milliseconds old counts as an attempt. */
const STABLE_MS = 5000;

/** A connection to Redis. When it breaks or does not answer it is thrown away, and a new one is made, until it is closed. */
export class Link {
  readonly #parts: LinkParts;
  #client: RedisClient | undefined;
  #fault: string | undefined = 'Redis has not been reached yet';
  #openedAt = 0;
  /** Attempts since the last connection that lasted. */
  #tries = 0;
  #losses = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: LinkParts) {
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
    if (!this.#client) throw new Unavailable(this.#fault ?? 'The connection to Redis is closed');
    return this.#client;
  }

  /** Begins; resolves after the first attempt, whether or not it succeeded. */
  start(): Promise<void> {
    return this.#connect();
  }

  /** Throws the connection away, because it broke or does not answer, and makes another one. */
  fail(reason: string): void {
    const client = this.#client;
    if (!client || this.#closed) return;
    this.#client = undefined;
    discard(client);
    this.#fault = reason;
    this.#losses += 1;
    this.#parts.log.warn({ link: this.#parts.name, reason }, 'redis lost');
    if (performance.now() - this.#openedAt > STABLE_MS) this.#tries = 0;
    this.#connectLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#client) discard(this.#client);
    this.#client = undefined;
  }

  async #connect(): Promise<void> {
    const { name, connect, onOpen, log } = this.#parts;
    let client: RedisClient;
    try {
      client = await connect();
    } catch (error) {
      const reason = reasonOf(error);
      // Each attempt fails for the same reason, which is worth one line.
      if (reason !== this.#fault) log.warn({ link: name, reason }, 'redis not reached');
      this.#fault = reason;
      this.#connectLater();
      return;
    }
    if (this.#closed) return discard(client);
    client.on('error', (error) => {
      if (client === this.#client) this.fail(reasonOf(error));
    });
    this.#client = client;
    this.#openedAt = performance.now();
    this.#fault = undefined;
    log.info({ link: name }, 'redis connected');
    onOpen();
  }

  #connectLater(): void {
    if (this.#closed) return;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#tries, 10));
    this.#tries += 1;
    this.#timer = setTimeout(() => void this.#connect(), longest * (0.5 + Math.random() / 2));
  }
}

/** What an error says, with the code of the system where it says nothing else. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}
