import { createClient } from 'redis';
import { z } from 'zod';
import type { Call, Connected, RedisClient } from './client.ts';
import {
  addressOf,
  ConnectError,
  type ConnectionOptions,
  clientOptions,
  connectServer,
  discard,
  open,
} from './connect-server.ts';
import type { RedisSettings } from './settings.ts';
import { withTimeout } from './timeout.ts';

type SentinelSettings = NonNullable<RedisSettings['sentinel']>;

/** The channel on which a sentinel announces a new master. */
const SWITCHED = '+switch-master';

const addressSchema = z.tuple([z.string(), z.string()]);

/**
 * Connects to the master that the sentinels name. They are asked one after the other until one names a reachable master.
 *
 * @throws ConnectError the failure of the last sentinel, if none does
 */
export async function connectMaster(
  settings: SentinelSettings,
  connection: ConnectionOptions,
): Promise<Connected> {
  let failure: unknown;
  for (const sentinel of settings.nodes) {
    const client = new MasterClient(sentinel, settings, connection);
    try {
      await client.connect();
      return { client, server: client.server };
    } catch (error) {
      client.destroy();
      failure = new ConnectError(client.server, error);
    }
  }
  throw failure;
}

/**
 * A client of the server that a sentinel names as the master. It fails when that sentinel names another one: the previous
 * master may still accept writes for seconds, which are lost once it follows the new master.
 */
class MasterClient implements RedisClient {
  readonly #settings: SentinelSettings;
  readonly #connection: ConnectionOptions;
  readonly #sentinel: ReturnType<typeof makeSentinelClient>;
  readonly #sentinelUrl: URL;
  #server: Awaited<ReturnType<typeof connectServer>> | undefined;
  /** Host and port of the server, as the sentinel named it. */
  #address: readonly string[] | undefined;
  #fault: unknown;

  constructor(sentinel: string, settings: SentinelSettings, connection: ConnectionOptions) {
    this.#settings = settings;
    this.#connection = connection;
    this.#sentinelUrl = new URL(sentinel);
    this.#sentinel = makeSentinelClient(sentinel, connection);
  }

  /** @throws Error if the sentinel or its server cannot be reached, or the server is no master */
  async connect(): Promise<void> {
    const { timeoutMs } = this.#connection;
    await open(this.#sentinel, this.#connection);
    this.#sentinel.on('error', (error) => this.#break(error));
    await withTimeout(timeoutMs, this.#ask());
    this.#server = await connectServer(this.#url, this.#connection);
    const replication = await withTimeout(timeoutMs, this.#server.info('replication'));
    if (!replication.includes('role:master'))
      throw new Error('The sentinels name a server that is no master');
    if (this.#fault) throw this.#fault;
  }

  /** Host and port of the server, or of the sentinel until it has named one. */
  get server(): string {
    return addressOf(this.#address ? this.#url : this.#sentinelUrl.href);
  }

  destroy(): void {
    discard(this.#sentinel);
    if (this.#server) discard(this.#server);
  }

  on(event: 'error', listener: (error: unknown) => void): void {
    this.#connected.on(event, listener);
  }

  evalSha(sha1: string, call: Call): Promise<unknown> {
    return this.#connected.evalSha(sha1, call);
  }

  eval(script: string, call: Call): Promise<unknown> {
    return this.#connected.eval(script, call);
  }

  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown> {
    return this.#connected.sSubscribe(channel, listener);
  }

  sUnsubscribe(channel: string): Promise<unknown> {
    return this.#connected.sUnsubscribe(channel);
  }

  get #connected() {
    if (!this.#server) throw new Error('The client is not connected');
    return this.#server;
  }

  get #url(): string {
    const [host = '', port = ''] = this.#address ?? [];
    const url = new URL(`${this.#sentinelUrl.protocol}//${host.includes(':') ? `[${host}]` : host}:${port}`);
    url.username = this.#settings.username ?? '';
    url.password = this.#settings.password ?? '';
    return url.href;
  }

  async #ask(): Promise<void> {
    const { name } = this.#settings;
    // Subscribes before it asks, so that no change is missed in between.
    await this.#sentinel.subscribe(SWITCHED, (text) => this.#hear(text));
    const answer = await this.#sentinel.sendCommand(['SENTINEL', 'get-master-addr-by-name', name]);
    if (answer === null) throw new Error(`The sentinels know no server called "${name}"`);
    this.#address = addressSchema.parse(answer);
  }

  /** @param text name, address before, address now, each address as host and port */
  #hear(text: string): void {
    const [name, , , ...address] = text.split(' ');
    if (name !== this.#settings.name || !this.#address || address.join() === this.#address.join()) return;
    this.#break(new Error('The sentinels name another server as the master'));
  }

  #break(error: unknown): void {
    this.#fault ??= error;
    this.#server?.emit('error', error);
  }
}

/** Never connected, for its duplicates to share its class, as in connect-server.ts. */
const template = createClient({ RESP: 3, maintNotifications: 'disabled' });

/** A client for commands and subscriptions on one connection, which requires version 3 of the Redis protocol. */
function makeSentinelClient(url: string, connection: ConnectionOptions) {
  return template.duplicate({ url, ...clientOptions(url, connection) });
}
