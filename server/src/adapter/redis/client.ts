import { createClient, createCluster } from 'redis';
import { masterOf } from './sentinel.ts';
import type { RedisSettings } from './settings.ts';
import { within } from './within.ts';

/** What we need of a client of one server, and of a cluster alike. */
export interface RedisClient {
  connect(): Promise<unknown>;
  /** Ends at once; all that is under way fails. */
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  evalSha(sha1: string, options: Call): Promise<unknown>;
  eval(script: string, options: Call): Promise<unknown>;
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  sUnsubscribe(channel: string): Promise<unknown>;
}

/** A script's keys, all in one slot, and its arguments. */
interface Call {
  readonly keys: string[];
  readonly arguments: string[];
}

/** Commands that may wait for their answers; more would fill the memory. */
const MAX_WAITING = 100_000;

/**
 * Connects. The client never connects again by itself, and keeps nothing for later: what cannot be sent fails at once.
 *
 * @param timeoutMs after which a server that does not answer is given up
 * @throws Error if there is no connection
 */
export async function connectRedis(settings: RedisSettings, timeoutMs: number): Promise<RedisClient> {
  const client = await makeClient(settings, timeoutMs);
  // Whoever uses it listens once it is connected; before, the rejection tells.
  client.on('error', () => {});
  try {
    await within(timeoutMs, client.connect());
    return client;
  } catch (error) {
    discard(client);
    throw error;
  }
}

/** Ends a client, whatever state it is in. */
export function discard(client: RedisClient): void {
  // It refuses to end twice, and its end may be what broke it.
  try {
    client.destroy();
  } catch {}
}

async function makeClient(
  { url, sentinel, cluster }: RedisSettings,
  connectTimeout: number,
): Promise<RedisClient> {
  const common = { disableOfflineQueue: true, commandsQueueMaxLength: MAX_WAITING } as const;
  const socket = { connectTimeout, reconnectStrategy: false } as const;
  if (cluster) {
    return createCluster({
      rootNodes: cluster.nodes.map((node) => ({ url: node })),
      defaults: { ...common, ...credentialsOf(cluster.nodes), socket },
    });
  }
  const server = sentinel ? await masterOf(sentinel, connectTimeout) : url;
  return createClient({ ...common, ...(server !== undefined && { url: server }), socket });
}

function credentialsOf([first]: readonly string[]): { username?: string; password?: string } {
  const { username, password } = new URL(first ?? '');
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}
