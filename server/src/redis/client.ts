import { connectCluster } from './connect-cluster.ts';
import { connectMaster } from './connect-sentinel.ts';
import { addressOf, ConnectError, connectServer, readConnection } from './connect-server.ts';
import type { RedisSettings } from './settings.ts';

/**
 * What we need of a client of one server, of a cluster, and of the master that sentinels name alike. It breaks once, for
 * all of it: whoever hears an `error` ends it and makes another one.
 */
export interface RedisClient {
  /** Ends at once; all that is under way fails. */
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  evalSha(sha1: string, options: Call): Promise<unknown>;
  eval(script: string, options: Call): Promise<unknown>;
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  sUnsubscribe(channel: string): Promise<unknown>;
}

/** A script's keys, all in one slot, and its arguments. */
export interface Call {
  readonly keys: string[];
  readonly arguments: string[];
}

/** A connected client. */
export interface Connected {
  readonly client: RedisClient;
  /** Host and port of what it is connected to: of a cluster, of each server that the settings name. */
  readonly server: string;
}

/**
 * Connects. The client never connects again by itself, and keeps nothing for later: what cannot be sent fails at once.
 *
 * @param name what `CLIENT LIST` calls the connection, without spaces
 * @param timeoutMs after which a server that does not answer is given up
 * @throws NotReached if there is no connection
 * @throws Error if a file of the settings cannot be read
 */
export async function connectRedis(
  settings: RedisSettings,
  name: string,
  timeoutMs: number,
): Promise<Connected> {
  const { url = '', sentinel, cluster } = settings;
  const connection = await readConnection(settings, name, timeoutMs);
  if (sentinel) return connectMaster(sentinel, connection);
  const server = (cluster?.nodes ?? [url]).map(addressOf).join(', ');
  try {
    const client = await (cluster
      ? connectCluster(cluster.nodes, connection)
      : connectServer(url, connection));
    return { client, server };
  } catch (error) {
    throw new ConnectError(server, error);
  }
}
