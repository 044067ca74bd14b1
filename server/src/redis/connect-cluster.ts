import { createCluster } from 'redis';
import type { Call, RedisClient } from './client.ts';
import { type ConnectionOptions, clientOptions, discard } from './connect-server.ts';
import { withTimeout } from './timeout.ts';

/**
 * Connects to all masters of a Redis Cluster.
 *
 * @param nodes URLs of some of its servers; user and password of the first one are for all
 * @throws Error if one of the masters cannot be reached
 */
export async function connectCluster(
  nodes: readonly string[],
  connection: ConnectionOptions,
): Promise<RedisClient> {
  const client = new ClusterClient(nodes, connection);
  await client.connect();
  return client;
}

/**
 * A client of a whole cluster. The one that it is made of goes on when it loses a server, without the topics of that
 * one, and never looks for the server that takes over; nor does it follow subscriptions that move to another server.
 * This one breaks instead, so that everything begins anew with the cluster as it is then.
 */
class ClusterClient implements RedisClient {
  readonly #cluster: ReturnType<typeof makeCluster>;
  readonly #timeoutMs: number;
  readonly #pinging: NodeJS.Timeout;
  /** What went wrong with one server: it tells more than that all were tried. */
  #fault: unknown;

  constructor(nodes: readonly string[], connection: ConnectionOptions) {
    const cluster = makeCluster(nodes, connection);
    this.#cluster = cluster;
    this.#timeoutMs = connection.timeoutMs;
    this.on('error', (error) => {
      // The order in which servers are tried differs each time, and the same trouble is to read the same each time.
      if (this.#fault === undefined || String(error) < String(this.#fault)) this.#fault = error;
    });
    cluster.on('node-error', (error) => this.#break(error));
    cluster.on('node-ready', () => this.#watchSubscriptions());
    this.#pinging = setInterval(() => this.#check(), this.#timeoutMs);
  }

  /** @throws Error if one of the masters cannot be reached */
  async connect(): Promise<void> {
    try {
      await withTimeout(this.#timeoutMs, this.#cluster.connect());
      // It calls itself connected also without a server that it could not reach, or has lost meanwhile.
      const { isOpen, masters } = this.#cluster;
      const isWhole = isOpen && masters.every(({ client }) => client?.isReady);
      if (!isWhole) throw new Error('A server of the Redis Cluster cannot be reached');
      await this.#ping();
    } catch (error) {
      this.destroy();
      throw this.#fault ?? error;
    }
  }

  destroy(): void {
    clearInterval(this.#pinging);
    // The cluster's own end stops at the first server that is lost, and leaves the others connected.
    for (const node of this.#cluster.nodeByAddress.values()) {
      for (const each of [node, 'pubSub' in node && node.pubSub]) if (each) this.#end(each);
    }
    discard(this.#cluster);
  }

  on(event: 'error', listener: (error: unknown) => void): void {
    this.#cluster.on(event, listener);
  }

  evalSha(sha1: string, call: Call): Promise<unknown> {
    return this.#cluster.evalSha(sha1, call);
  }

  eval(script: string, call: Call): Promise<unknown> {
    return this.#cluster.eval(script, call);
  }

  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown> {
    return this.#cluster.sSubscribe(channel, listener);
  }

  async sUnsubscribe(channel: string): Promise<void> {
    // The cluster's own would end the connection with its last subscription, also for whoever is about to use it.
    for (const { pubSub } of this.#cluster.masters) {
      const isHere = pubSub?.client.getPubSubListeners('SHARDED').has(channel);
      if (isHere) await pubSub?.client.sUnsubscribe(channel);
    }
  }

  /** Each server tells its subscribers what it gives away. */
  #watchSubscriptions(): void {
    for (const { pubSub } of this.#cluster.masters) {
      if (!pubSub || pubSub.client.listenerCount(MOVED) > 0) continue;
      pubSub.client.on(MOVED, () => {
        this.#break(new Error('A part of the Redis Cluster has moved to another server'));
      });
    }
  }

  /** A server that is cut off says nothing, not even that it is; and most commands go to others. */
  #check(): void {
    this.#ping().catch((error: unknown) => this.#break(error));
  }

  async #ping(): Promise<void> {
    const clients = this.#cluster.masters.flatMap(({ client, pubSub }) => [client, pubSub?.client]);
    const answers = clients.map((client) => client?.isReady && client.ping());
    await withTimeout(this.#timeoutMs, Promise.all(answers));
  }

  #break(error: unknown): void {
    // At once: a socket with TLS may fail once more, and then nobody would hear it.
    this.destroy();
    this.#cluster.emit('error', error);
  }

  #end({ client, connectPromise }: NodeClient): void {
    if (!client) return;
    if (!connectPromise) return discard(client);
    // One that is being connected cannot be ended before it is.
    withTimeout(this.#timeoutMs, connectPromise)
      .catch(() => {})
      .finally(() => discard(client));
  }
}

/** The client of one server of the cluster, which may be about to connect. */
interface NodeClient {
  readonly client?: { destroy(): unknown };
  readonly connectPromise?: Promise<unknown>;
}

/** The event of a client whose server has ended a subscription by itself. */
const MOVED = 'sharded-channel-moved';

function makeCluster(nodes: readonly string[], connection: ConnectionOptions) {
  const [first = ''] = nodes;
  const { username, password } = new URL(first);
  return createCluster({
    rootNodes: nodes.map((url) => ({ url })),
    defaults: {
      ...clientOptions(first, connection),
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
    },
  });
}
