import { createClient, createCluster, createSentinel } from 'redis';
import type { RedisSettings } from './settings.ts';

/** What we need of a client of Redis, of a server that sentinels watch, and of a cluster alike. */
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
export interface Call {
  readonly keys: string[];
  readonly arguments: string[];
}

/** Commands that may wait for their answers; more would fill the memory. */
const MAX_WAITING = 100_000;

/**
 * Makes a client that is not connected yet. It never connects again by itself, and keeps nothing for later: what
 * cannot be sent fails at once.
 *
 * @param connectTimeoutMs after which a server that does not answer is given up
 */
export function createRedisClient(settings: RedisSettings, connectTimeoutMs: number): RedisClient {
  const common = { disableOfflineQueue: true, commandsQueueMaxLength: MAX_WAITING } as const;
  const socket = { connectTimeout: connectTimeoutMs, reconnectStrategy: false } as const;
  const { url, sentinel, cluster } = settings;
  if (url !== undefined) return createClient({ ...common, url, socket });
  if (cluster) {
    return createCluster({
      rootNodes: cluster.nodes.map((node) => ({ url: node })),
      defaults: { ...common, ...credentialsOf(cluster.nodes), socket },
    });
  }
  if (!sentinel) throw new Error('Redis has no url, sentinel or cluster');
  const { name, nodes, username, password } = sentinel;
  const tls = isTls(nodes);
  return createSentinel({
    name,
    sentinelRootNodes: nodes.map(addressOf),
    sentinelClientOptions: { ...credentialsOf(nodes), socket },
    nodeClientOptions: {
      ...common,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      socket: tls ? { ...socket, tls } : socket,
    },
  });
}

function credentialsOf([first]: readonly string[]): { username?: string; password?: string } {
  const { username, password } = new URL(first ?? '');
  return {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: port ? Number(port) : 26_379 };
}

function isTls([first]: readonly string[]): boolean {
  return first?.startsWith('rediss:') === true;
}
