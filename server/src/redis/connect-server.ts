import { readFile } from 'node:fs/promises';
import { createClient } from 'redis';
import type { RedisSettings } from './settings.ts';
import { withTimeout } from './timeout.ts';

/** How servers are reached, whichever they are. */
export interface ConnectionOptions {
  /** What `CLIENT LIST` calls it. */
  readonly name: string;
  /** Milliseconds after which a server that does not answer is given up. */
  readonly timeoutMs: number;
  /** What TLS is checked with, and how we prove who we are. */
  readonly tls: Readonly<Record<'ca' | 'cert' | 'key', Buffer | undefined>>;
}

/** A client that is not connected yet. */
interface Openable {
  connect(): Promise<unknown>;
  ping(): Promise<unknown>;
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/** A connection failed, for the reason that is its cause. */
export class ConnectError extends Error {
  override readonly name = 'NotReached';

  /** @param server host and port, of each server that could have been reached instead */
  constructor(
    readonly server: string,
    cause: unknown,
  ) {
    super(`${server} cannot be reached`, { cause });
  }
}

/** Commands that may wait for their answers; more would fill the memory. */
const MAX_WAITING = 100_000;
const DEFAULT_PORT = 6379;

/**
 * Reads the files of the settings, for each connection anew: one that was renewed counts from then on.
 *
 * @throws Error if one cannot be read
 */
export async function readConnection(
  { tls = {} }: RedisSettings,
  name: string,
  timeoutMs: number,
): Promise<ConnectionOptions> {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFile(path));
  const [ca, cert, key] = await Promise.all([tls.ca, tls.cert, tls.key].map(read));
  return { name, timeoutMs, tls: { ca, cert, key } };
}

/** Host and port of a URL, and nothing of who we are there. */
export function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || DEFAULT_PORT}`;
}

/** Options of the client of one server, whose URL decides about TLS. */
export function clientOptions(url: string, { name, timeoutMs, tls }: ConnectionOptions) {
  const socket = { connectTimeout: timeoutMs, reconnectStrategy: false } as const;
  return {
    name,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    socket: new URL(url).protocol === 'rediss:' ? { ...socket, ...tls, tls: true as const } : socket,
  } as const;
}

/**
 * Connects to one server.
 *
 * @throws Error if there is no connection
 */
export function connectServer(url: string, connection: ConnectionOptions) {
  return open(createClient({ url, ...clientOptions(url, connection) }), connection);
}

/**
 * Connects a client, which ends with its first error.
 *
 * @throws Error if there is no connection, or one on which nothing is answered
 */
export async function open<Client extends Openable>(
  client: Client,
  { timeoutMs }: ConnectionOptions,
): Promise<Client> {
  let fault: unknown;
  client.on('error', (error) => {
    fault ??= error;
    // A socket with TLS may fail twice, for what the server says and for its going. The client hears the first one only,
    // and the second one would end the process; but a socket that is destroyed fails no more.
    discard(client);
  });
  try {
    // A server takes whoever says nothing of a password, and refuses what is asked of it then.
    const asked = client.connect().then(() => client.ping());
    await withTimeout(timeoutMs, asked);
  } catch (error) {
    discard(client);
    throw fault ?? error;
  }
  if (fault) throw fault;
  return client;
}

/** Ends a client, whatever state it is in. */
export function discard(client: { destroy(): unknown }): void {
  // It refuses to end twice, and its end may be what broke it.
  try {
    client.destroy();
  } catch {}
}
