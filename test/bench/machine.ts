import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const HOST = '127.0.0.1';
const CLI = fileURLToPath(new URL('../../../server/dist/cli/main.js', import.meta.url));
/** Clock ticks of Linux in a second, in which it tells what a process has used. */
const TICKS = 100;

/** Brokers of one service, and what they share. */
export interface Setting {
  readonly name: string;
  readonly brokers?: number;
  readonly workers?: number;
  /** Where the brokers keep what they share, or the one broker what must outlive it. */
  readonly store?: 'redis' | 'sqlite';
}

/** The processes of one run, with their data in a directory of its own. */
export class Machine {
  readonly ports: number[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  readonly #processes: ChildProcess[] = [];
  #redis: ChildProcess | undefined;

  /** @param app settings of the one app, beside its key and its limits */
  static async start(
    { brokers = 1, workers = 1, store }: Setting,
    app: Readonly<Record<string, unknown>> = {},
  ): Promise<Machine> {
    const machine = new Machine();
    try {
      const redisPort = await findPort();
      if (store === 'redis') await machine.#startRedis(redisPort);
      const limits = {
        connections: null,
        clientEventsPerSecond: 1e6,
        framesPerSecond: 1e6,
        httpRequestsPerSecond: null,
      };
      const keys = [{ key: 'app-key', secret: 'bench-8f3c1d7a52e94b60' }];
      const env = {
        COUNTERSIGN_APPS: JSON.stringify([{ id: 'app-id', keys, limits, ...app }]),
        ...(store === 'redis' && { COUNTERSIGN_REDIS__URL: `redis://${HOST}:${redisPort}` }),
        ...(store === 'sqlite' && { COUNTERSIGN_DATA: join(machine.#directory, 'data') }),
      };
      for (let n = 0; n < brokers; n += 1) await machine.#startBroker(workers, env);
      return machine;
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  /** Seconds of processor time so far: of the brokers, of what their workers share, and of Redis; Linux only. */
  cpu(): { readonly brokers: number; readonly parent: number; readonly redis: number } {
    const [redis] = secondsOf(this.#redis?.pid, false);
    const all = this.#processes
      .filter((child) => child !== this.#redis)
      .flatMap(({ pid }) => secondsOf(pid, true));
    const hasWorkers = all.length > this.ports.length;
    return {
      brokers: (hasWorkers ? all.slice(1) : all).reduce((sum, seconds) => sum + seconds, 0),
      parent: (hasWorkers && all[0]) || 0,
      redis: redis ?? 0,
    };
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #startRedis(port: number): Promise<void> {
    const flags = ['--port', String(port), '--bind', HOST, '--dir', this.#directory, '--save', ''];
    this.#redis = await this.#start('redis-server', [...flags, '--appendonly', 'yes'], 'Ready to accept');
  }

  async #startBroker(workers: number, env: Readonly<Record<string, string>>): Promise<void> {
    const port = await findPort();
    const args = [CLI, 'start', '--port', String(port), '--workers', String(workers)];
    const ready = workers > 1 ? '"msg":"all workers listen"' : '"msg":"listening"';
    await this.#start(process.execPath, ['--max-semi-space-size=4', ...args], ready, env);
    this.ports.push(port);
  }

  async #start(
    command: string,
    args: readonly string[],
    until: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<ChildProcess> {
    const child = spawn(command, args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#processes.push(child);
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${command} has ended`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.includes(until)) resolve();
      });
    });
    return child;
  }
}

/** Of a process, and of those that it has started. */
function secondsOf(pid: number | undefined, withChildren: boolean): number[] {
  if (pid === undefined) return [];
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    const seconds = (Number(fields[11]) + Number(fields[12])) / TICKS;
    const children = withChildren ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') : '';
    return [
      seconds,
      ...children.split(' ').flatMap((child) => (child ? secondsOf(Number(child), true) : [])),
    ];
  } catch {
    return [];
  }
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('No port');
  return address.port;
}
