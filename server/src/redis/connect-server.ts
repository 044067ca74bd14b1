import { readFile } from 'node:fs/promises';
import { createClient } from 'redis';
import type { RedisSettings } from './settings.ts';
import { withTimeout } from './timeout.ts';

/** Options of connections to all servers. */
export interface ConnectionOptions {
  /** The name of the connection in `CLIENT LIST`. */
  readonly name: string;
  /** Milliseconds after which a server that does not answer is given up. */
  readonly timeoutMs: number;
  /** The CA that verifies servers, and the certificate and key of this client. */
  readonly tls: Readonly<Record<'ca' | 'cert' | 'key', Buffer | undefined>>;
}

/** A client that is not connected yet. */
interface Openable {
  connect(): Promise<unknown>;
  ping(): Promise<unknown>;
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/** A connection failed; its `cause` is the reason. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';

  /** @param server host and port; of all servers that were tried, for a cluster */
  constructor(
    readonly server: string,
    cause: unknown,
  ) {
    super(`${server} cannot be reached`, { cause });
  }
}

/** Commands that may wait for answers at a time; more would fill the memory. */
const MAX_WAITING = 100_000;
const DEFAULT_PORT = 6379;

/**
 * Reads the files of the settings, again for each connection, so that renewed files take effect.
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

/** Host and port of a URL, without user and password. */
export function addressOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || DEFAULT_PORT}`;
}

/** Options of the client of one server; the scheme of the URL decides about TLS. */
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
 * A client that is never connected. `createClient` builds a class with all commands for each client whose options differ
 * from the last ones, which takes tens of milliseconds; a duplicate shares the class.
 */
const template = createClient();

/**
 * Connects to one server.
 *
 * @throws Error if there is no connection
 */
export function connectServer(url: string, connection: ConnectionOptions) {
  return open(template.duplicate({ url, ...clientOptions(url, connection) }), connection);
}

/**
 * Connects a client, which is destroyed at its first error.
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
    // A TLS socket may fail twice: with an alert of the server and with its close. The client handles only the first one, and
    // the second would end the process; but a destroyed socket fails no more.
    discard(client);
  });
  try {
    // A server accepts a connection without a password and refuses its first command, so a ping must succeed, too.
    const asked = client.connect().then(() => client.ping());
    await withTimeout(timeoutMs, asked);
  } catch (error) {
    discard(client);
    throw fault ?? error;
  }
  if (fault) throw fault;
  return client;
}

/** Destroys a client in any state. */
export function discard(client: { destroy(): unknown }): void {
  // The library throws if the client was destroyed before.
  try {
    client.destroy();
  } catch {}
}
