import type { Logger } from 'pino';
import { Unavailable } from '../../errors.ts';
import { discard, type RedisClient } from './client.ts';

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

/** A connection to Redis. When it breaks or does not answer it is thrown away, and a new one is made, until it is closed. */
export class Link {
  readonly #parts: LinkParts;
  #client: RedisClient | undefined;
  #fault: string | undefined = 'Redis has not been reached yet';
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: LinkParts) {
    this.#parts = parts;
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
    return this.#connect(0);
  }

  /** Throws the connection away, because it broke or does not answer, and makes another one. */
  fail(reason: string): void {
    const client = this.#client;
    if (!client || this.#closed) return;
    this.#client = undefined;
    discard(client);
    this.#fault = reason;
    this.#parts.log.warn({ link: this.#parts.name, reason }, 'redis lost');
    this.#connectLater(0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#client) discard(this.#client);
    this.#client = undefined;
  }

  async #connect(tries: number): Promise<void> {
    const { name, connect, onOpen, log } = this.#parts;
    let client: RedisClient;
    try {
      client = await connect();
    } catch (error) {
      this.#fault = reasonOf(error);
      if (tries === 0) log.warn({ link: name, reason: this.#fault }, 'redis not reached');
      this.#connectLater(tries + 1);
      return;
    }
    if (this.#closed) return discard(client);
    client.on('error', (error) => {
      if (client === this.#client) this.fail(reasonOf(error));
    });
    this.#client = client;
    this.#fault = undefined;
    log.info({ link: name }, 'redis connected');
    onOpen();
  }

  #connectLater(tries: number): void {
    if (this.#closed) return;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(tries, 10));
    this.#timer = setTimeout(() => void this.#connect(tries), longest * (0.5 + Math.random() / 2));
  }
}

/** What an error says, with the code of the system where it says nothing else. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}
