import { connectCluster } from './cluster.ts';
import { connectServer, readConnection } from './connection.ts';
import { connectMaster } from './sentinel.ts';
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

/**
 * Connects. The client never connects again by itself, and keeps nothing for later: what cannot be sent fails at once.
 *
 * @param timeoutMs after which a server that does not answer is given up
 * @throws Error if there is no connection
 */
export async function connectRedis(settings: RedisSettings, timeoutMs: number): Promise<RedisClient> {
  const { url = '', sentinel, cluster } = settings;
  const connection = await readConnection(settings, timeoutMs);
  if (cluster) return connectCluster(cluster.nodes, connection);
  if (sentinel) return connectMaster(sentinel, connection);
  return connectServer(url, connection);
}
