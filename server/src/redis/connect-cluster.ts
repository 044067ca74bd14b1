import { createCluster } from 'redis';
import type { Call, RedisClient } from './client.ts';
import { type ConnectionOptions, clientOptions, discard } from './connect-server.ts';
import { withTimeout } from './timeout.ts';

/**
 * Connects to all masters of a Redis Cluster.
 *
 * @param nodes URLs of some of its servers; the user and password of the first one apply to all
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
 * A client of a whole cluster. The library's client continues when it loses a server, without the topics of that server,
 * and never looks for the server that takes over; nor does it follow subscriptions that move to another server. This
 * client fails instead, so that a new one connects to the cluster in its new shape.
 */
class ClusterClient implements RedisClient {
  readonly #cluster: ReturnType<typeof makeCluster>;
  readonly #timeoutMs: number;
  readonly #pinging: NodeJS.Timeout;
  /** The error of one server, which says more than that all servers were tried. */
  #fault: unknown;

  constructor(nodes: readonly string[], connection: ConnectionOptions) {
    const cluster = makeCluster(nodes, connection);
    this.#cluster = cluster;
    this.#timeoutMs = connection.timeoutMs;
    this.on('error', (error) => {
      // Servers are tried in random order, and the same fault must read the same each time.
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
      // The library reports a connection even if a server could not be reached or was lost meanwhile.
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
    // The library's own `destroy` stops at the first server that is lost, and leaves the others connected.
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
    // The library's own method would close the connection with its last subscription, even if another is about to use it.
    for (const { pubSub } of this.#cluster.masters) {
      const isHere = pubSub?.client.getPubSubListeners('SHARDED').has(channel);
      if (isHere) await pubSub?.client.sUnsubscribe(channel);
    }
  }

  /** Each server tells its subscribers which slots it gives away. */
  #watchSubscriptions(): void {
    for (const { pubSub } of this.#cluster.masters) {
      if (!pubSub || pubSub.client.listenerCount(MOVED) > 0) continue;
      pubSub.client.on(MOVED, () => {
        this.#break(new Error('A part of the Redis Cluster has moved to another server'));
      });
    }
  }

  /** Pings all servers: one that is cut off reports nothing, and most commands go to others. */
  #check(): void {
    this.#ping().catch((error: unknown) => this.#break(error));
  }

  async #ping(): Promise<void> {
    const clients = this.#cluster.masters.flatMap(({ client, pubSub }) => [client, pubSub?.client]);
    const answers = clients.map((client) => client?.isReady && client.ping());
    await withTimeout(this.#timeoutMs, Promise.all(answers));
  }

  #break(error: unknown): void {
    // At once: a TLS socket may fail once more, when nobody listens any more.
    this.destroy();
    this.#cluster.emit('error', error);
  }

  #end({ client, connectPromise }: NodeClient): void {
    if (!client) return;
    if (!connectPromise) return discard(client);
    // A client that is connecting cannot be closed before it is connected.
    withTimeout(this.#timeoutMs, connectPromise)
      .catch(() => {})
      .finally(() => discard(client));
  }
}

/** The client of one server of the cluster, which may still be connecting. */
interface NodeClient {
  readonly client?: { destroy(): unknown };
  readonly connectPromise?: Promise<unknown>;
}

/** The event of a client whose server has ended a subscription. */
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
