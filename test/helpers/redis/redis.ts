import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { DEADLINE_MS } from '../deadline.ts';
import { eventually } from '../eventually.ts';

/** Whether a Redis can be started here; where the tests must not be skipped it is taken for granted. */
export const hasRedis = Boolean(process.env['CI']) || spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis) process.stdout.write('redis-server is not installed: what needs it is skipped\n');

/** Milliseconds that a Redis has to start. */

/** A Redis of its own, on a free port, with its data in a directory of its own. */
export class RedisServer {
  readonly #settings: readonly string[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'countersign-redis-'));
  #process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    settings: readonly string[],
  ) {
    this.#settings = settings;
  }

  /** @param settings as on its command line */
  static async start(settings: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const options = {
      port: this.port,
      bind: '127.0.0.1',
      dir: this.#directory,
      save: '',
      appendonly: 'no',
      // What the kernel has survives a kill, and a server that waits for the disk of a busy machine is silent for seconds.
      appendfsync: 'no',
    };
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#process = await launch([...flags, ...this.#settings], 'Ready to accept connections');
  }

  /** Kills it, as a crash would; {@link start} begins it again on the same port. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child) await end(child);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Runs one command. */
  command(...parts: string[]): Promise<unknown> {
    return commandAt(this.port, ...parts);
  }

  /** Forgets all but the last messages of each topic, as it does of itself when there are many. */
  async forgetMessages(prefix: string): Promise<void> {
    const script = `for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('LTRIM', key, -5, -1) end`;
    await this.command('EVAL', script, '0', `${prefix}:topic:*:log`);
  }

  /** Brings the end of all that is kept for a while nearer. */
  async age(milliseconds: number): Promise<void> {
    const script = `
      for _, key in ipairs(redis.call('KEYS', '*')) do
        local left = redis.call('PTTL', key)
        if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
        if string.find(key, ':ends', 1, true) then
          for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZINCRBY', key, -ARGV[1], member) end
        end
      end`;
    await this.command('EVAL', script, '0', String(milliseconds));
  }
}

/** A Redis Cluster of two servers, so that keys are in different places. */
export class RedisCluster {
  private constructor(private readonly servers: readonly RedisServer[]) {}

  static async start(): Promise<RedisCluster> {
    const cluster = new RedisCluster(
      await Promise.all([0, 1].map(() => RedisServer.start(['--cluster-enabled', 'yes']))),
    );
    const [first, second] = cluster.servers;
    await first?.command('CLUSTER', 'ADDSLOTSRANGE', '0', '8191');
    await second?.command('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383');
    await first?.command('CLUSTER', 'MEET', '127.0.0.1', String(second?.port));
    for (const server of cluster.servers) {
      await eventually(async () => {
        const info = String(await server.command('CLUSTER', 'INFO'));
        if (!info.includes('cluster_state:ok')) throw new Error('The cluster is not complete yet');
      });
    }
    return cluster;
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  async age(milliseconds: number): Promise<void> {
    for (const server of this.servers) await server.age(milliseconds);
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.stop();
  }
}

/** A server, and a sentinel that watches it under the name "test". */
export class RedisSentinel {
  readonly #directory = mkdtempSync(join(tmpdir(), 'countersign-sentinel-'));
  #process: ChildProcess | undefined;

  private constructor(
    private readonly server: RedisServer,
    private readonly port: number,
  ) {}

  static async start(): Promise<RedisSentinel> {
    const sentinel = new RedisSentinel(await RedisServer.start(), await freePort());
    const file = join(sentinel.#directory, 'sentinel.conf');
    writeFileSync(file, `port ${sentinel.port}\nsentinel monitor test 127.0.0.1 ${sentinel.server.port} 1\n`);
    sentinel.#process = await launch([file, '--sentinel'], '+monitor master test');
    return sentinel;
  }

  get urls(): string[] {
    return [`redis://127.0.0.1:${this.port}`];
  }

  age(milliseconds: number): Promise<void> {
    return this.server.age(milliseconds);
  }

  async stop(): Promise<void> {
    if (this.#process) await end(this.#process);
    rmSync(this.#directory, { recursive: true, force: true });
    await this.server.stop();
  }
}

/** Runs one command at a port of this machine. */
export async function commandAt(port: number, ...parts: string[]): Promise<unknown> {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  await client.connect();
  try {
    return await client.sendCommand(parts);
  } finally {
    client.destroy();
  }
}

/** Starts a process and waits until it says that it is ready. */
async function launch(args: readonly string[], ready: string): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('redis-server has not started')), DEADLINE_MS);
    child.once('error', reject);
    child.once('exit', () => reject(new Error('redis-server has ended')));
    child.stdout.on('data', (chunk: Buffer) => {
      if (!chunk.includes(ready)) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return child;
}

/** Kills a process, if it still runs. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/**
 * A port of the loopback that nobody listens on; so is the one 10,000 above it, where a cluster talks. Both are below the
 * ports that the system gives to outgoing connections, so none of these takes one before it is used, or after a kill.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 22_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
