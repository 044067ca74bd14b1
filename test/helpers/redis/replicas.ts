import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { commandAt, end, freePort, RedisServer } from './redis.ts';

/** Milliseconds that servers and sentinels have to find each other. */
const START_MS = 30_000;
/** Milliseconds of silence after which a server counts as dead. */
const SILENCE_MS = 1000;

/** A master, its replica, and three sentinels that watch it under the name "test". */
export class WatchedMaster {
  readonly #directory = mkdtempSync(join(tmpdir(), 'countersign-sentinels-'));
  readonly #sentinels: { readonly port: number; readonly process: ChildProcess }[] = [];

  private constructor(
    readonly master: RedisServer,
    readonly replica: RedisServer,
  ) {}

  /** @param aclUser of the sentinels, as in their file */
  static async start(aclUser = 'default on nopass ~* &* +@all'): Promise<WatchedMaster> {
    const master = await RedisServer.start(['--repl-diskless-sync-delay', '0']);
    const replica = await RedisServer.start(['--replicaof', `127.0.0.1 ${master.port}`]);
    const watched = new WatchedMaster(master, replica);
    await eventually(async () => {
      const info = String(await master.command('INFO', 'replication'));
      if (!info.includes('state=online')) throw new Error('There is no replica yet');
    }, START_MS);
    await Promise.all([0, 1, 2].map((n) => watched.#startSentinel(n, aclUser)));
    await watched.pace(300);
    for (const { port } of watched.#sentinels) {
      await eventually(async () => {
        const known = await commandAt(port, 'SENTINEL', 'master', 'test');
        const text = Array.isArray(known) ? known.join(' ') : '';
        if (!/num-slaves 1 num-other-sentinels 2/.test(text)) throw new Error(`A sentinel knows ${text}`);
      }, START_MS);
    }
    return watched;
  }

  /** For the configuration of a broker. */
  settings(credentials = ''): { readonly name: string; readonly nodes: readonly string[] } {
    return {
      name: 'test',
      nodes: this.#sentinels.map(({ port }) => `redis://${credentials}127.0.0.1:${port}`),
    };
  }

  /**
   * How often sentinels look at servers and tell each other what they know, in milliseconds. A master that was replaced
   * and lives on takes writes for at least four times that.
   */
  async pace(periodMs: number): Promise<void> {
    const period = String(periodMs);
    for (const { port } of this.#sentinels) {
      await commandAt(port, 'SENTINEL', 'DEBUG', 'info-period', period, 'publish-period', period);
    }
  }

  /** Has the last sentinel make the replica the master, while the one before lives on. */
  async failOver(): Promise<void> {
    await commandAt(this.#sentinels.at(-1)!.port, 'SENTINEL', 'FAILOVER', 'test');
  }

  /** Ends the sentinel that brokers ask first. */
  async killSentinel(): Promise<void> {
    await end(this.#sentinels[0]!.process);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sentinels.map(({ process }) => end(process)));
    await this.master.stop();
    await this.replica.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #startSentinel(n: number, aclUser: string): Promise<void> {
    const port = await freePort();
    const file = join(this.#directory, `${n}.conf`);
    writeFileSync(
      file,
      [
        `port ${port}`,
        'bind 127.0.0.1',
        `user ${aclUser}`,
        `sentinel monitor test 127.0.0.1 ${this.master.port} 2`,
        `sentinel down-after-milliseconds test ${SILENCE_MS}`,
        'sentinel failover-timeout test 6000',
        '',
      ].join('\n'),
    );
    const sentinel = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
    this.#sentinels.push({ port, process: sentinel });
    await eventually(() => commandAt(port, 'PING'), START_MS);
  }
}

/** One of the three parts of a {@link ReplicatedCluster}. */
interface Shard {
  readonly master: RedisServer;
  readonly replica: RedisServer;
}

/** A Redis Cluster of three masters with a replica each. */
export class ReplicatedCluster {
  private constructor(readonly shards: readonly Shard[]) {}

  /** @param settingsOf each server, as on its command line */
  static async start(
    settingsOf: () => Promise<readonly string[]> = async () => [],
  ): Promise<ReplicatedCluster> {
    const start = async () =>
      RedisServer.start([
        ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(SILENCE_MS)],
        ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'],
        ...(await settingsOf()),
      ]);
    const cluster = new ReplicatedCluster(
      await Promise.all([0, 1, 2].map(async () => ({ master: await start(), replica: await start() }))),
    );
    const [first] = cluster.servers;
    const ranges = [
      ['0', '5460'],
      ['5461', '10922'],
      ['10923', '16383'],
    ];
    for (const [n, { master }] of cluster.shards.entries()) {
      await master.command('CLUSTER', 'ADDSLOTSRANGE', ...ranges[n]!);
    }
    for (const server of cluster.servers.slice(1)) {
      const [, tlsPort] = (await server.command('CONFIG', 'GET', 'tls-port')) as string[];
      await first!.command('CLUSTER', 'MEET', '127.0.0.1', String(Number(tlsPort) || server.port));
    }
    for (const { master, replica } of cluster.shards) {
      const id = await idOf(master);
      await eventually(() => replica.command('CLUSTER', 'REPLICATE', id), START_MS);
    }
    await cluster.complete();
    return cluster;
  }

  get servers(): readonly RedisServer[] {
    return this.shards.flatMap(({ master, replica }) => [master, replica]);
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  /** The part that a key is in, as the cluster was divided in the beginning. */
  async shardOf(key: string): Promise<number> {
    return Math.floor((await this.slotOf(key)) / 5461);
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.shards[0]!.master.command('CLUSTER', 'KEYSLOT', key));
  }

  /**
   * Moves a slot to another master, as whoever makes a cluster larger does.
   *
   * @param meanwhile what is done while neither of the two has it wholly
   */
  async move(
    slot: number,
    from: RedisServer,
    to: RedisServer,
    meanwhile: () => Promise<void>,
  ): Promise<void> {
    const [fromId, toId] = [await idOf(from), await idOf(to)];
    await to.command('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', fromId);
    await from.command('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', toId);
    await meanwhile();
    const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', String(slot), '1000')) as string[];
    await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
    await meanwhile();
    for (const server of [to, from]) await server.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', toId);
  }

  /** Waits until every server sees that all slots have their masters, and the masters their replicas. */
  async complete(): Promise<void> {
    for (const server of this.servers) {
      await eventually(async () => {
        const info = String(await server.command('CLUSTER', 'INFO'));
        const replication = String(await server.command('INFO', 'replication'));
        if (!info.includes('cluster_state:ok') || !info.includes('cluster_known_nodes:6'))
          throw new Error(info);
        if (!/role:master[\s\S]*state=online|master_link_status:up/.test(replication))
          throw new Error(replication);
      }, START_MS);
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}

/**
 * Stops a server without its end: connections stay, and nothing is answered. It can be killed as usual.
 *
 * @returns what lets it go on
 */
export async function freeze(server: RedisServer): Promise<() => void> {
  const [, pid] = /process_id:(\d+)/.exec(String(await server.command('INFO', 'server'))) ?? [];
  process.kill(Number(pid), 'SIGSTOP');
  return () => void process.kill(Number(pid), 'SIGCONT');
}

async function idOf(server: RedisServer): Promise<string> {
  return String(await server.command('CLUSTER', 'MYID'));
}
