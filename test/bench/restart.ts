/**
 * `npm run bench:restart`: for how long stock pusher-js is away when a broker is restarted. Each client begins to count
 * when it is not connected any more, and ends when it is again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pusherModule from 'pusher-js';
import { replaceBetween } from './page.ts';

/** The class itself: its types describe an ES module, its file is a CommonJS one. */
const Pusher = pusherModule as unknown as typeof pusherModule.default;

const CLIENTS = 50;
const HOST = '127.0.0.1';
const APP = { id: 'app-id', keys: [{ key: 'app-key', secret: 'bench-8f3c1d7a52e94b60' }] };
const CLI = fileURLToPath(new URL('../../../server/dist/cli/main.js', import.meta.url));
const HOLDER = fileURLToPath(new URL('../../helpers/socket-holder.js', import.meta.url));
const PAGE = new URL('../../../docs/operations.md', import.meta.url);

interface Setting {
  readonly name: string;
  readonly drainWindowSeconds: number;
  readonly flags?: readonly string[];
  /** Whether it is started on a socket that outlives it. */
  readonly onSocket?: boolean;
  /** What it is told. @default SIGTERM, after which it is started again */
  readonly signal?: 'SIGUSR2';
}

const SETTINGS: readonly Setting[] = [
  { name: 'One process, stopped and started', drainWindowSeconds: 5 },
  { name: 'One process on an inherited socket, restarted', drainWindowSeconds: 0, onSocket: true },
  {
    name: 'Two workers, replaced by SIGUSR2',
    drainWindowSeconds: 5,
    flags: ['--workers', '2'],
    signal: 'SIGUSR2',
  },
];

/** Brokers that follow each other at one place. */
class Service {
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  readonly #command: readonly string[];
  #process: ChildProcess | undefined;
  readonly #lines: Record<string, unknown>[] = [];
  #look = (): void => {};

  constructor({ drainWindowSeconds, flags = [], onSocket }: Setting, port: number) {
    const file = join(this.#folder, 'countersign.json');
    writeFileSync(file, JSON.stringify({ host: HOST, port, apps: [APP], drainWindowSeconds }));
    const broker = [CLI, 'start', '--config', file, ...flags];
    this.#command = onSocket ? [HOLDER, process.execPath, ...broker] : broker;
  }

  start(): void {
    const child = spawn(process.execPath, this.#command, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#lines.push(JSON.parse(line));
      this.#look();
    });
  }

  get port(): number {
    return Number(this.#lines.find(({ msg }) => msg === 'socket' || msg === 'listening')?.['port']);
  }

  /** Waits for the line that has this message for the nth time. */
  logged(message: string, nth: number): Promise<Record<string, unknown>> {
    return new Promise((resolve) => {
      this.#look = () => {
        const line = this.#lines.filter(({ msg }) => msg === message)[nth - 1];
        if (line) resolve(line);
      };
      this.#look();
    });
  }

  async restart({ signal, onSocket }: Setting): Promise<void> {
    const { pid } = await this.logged('effective limits', 1);
    process.kill(Number(pid), signal ?? 'SIGTERM');
    if (signal) return void (await this.logged('all workers replaced', 1));
    if (onSocket) return void (await this.logged('effective limits', 2));
    if (this.#process) await once(this.#process, 'exit');
    this.start();
    await this.logged('effective limits', 2);
  }

  async stop(): Promise<void> {
    const pids = this.#lines.filter(({ msg }) => msg === 'effective limits').map(({ pid }) => Number(pid));
    this.#process?.kill('SIGKILL');
    const last = pids.at(-1);
    try {
      if (last !== undefined) process.kill(last, 'SIGKILL');
    } catch {}
    if (this.#process && this.#process.exitCode === null && this.#process.signalCode === null) {
      await once(this.#process, 'exit');
    }
    rmSync(this.#folder, { recursive: true });
  }
}

/** One client. */
class Client {
  readonly #pusher: InstanceType<typeof Pusher>;
  readonly connected: Promise<void>;
  /** Resolves with the seconds for which it was away, once it is back. */
  readonly away: Promise<number>;

  constructor(port: number) {
    const pusher = new Pusher('app-key', {
      cluster: '',
      wsHost: HOST,
      wsPort: port,
      forceTLS: false,
      enabledTransports: ['ws'],
    });
    this.#pusher = pusher;
    this.connected = new Promise((resolve) => pusher.connection.bind('connected', () => resolve()));
    this.away = new Promise((resolve) => {
      let since: number | undefined;
      pusher.connection.bind('state_change', ({ previous, current }: Record<string, string>) => {
        if (previous === 'connected') since = performance.now();
        if (current === 'connected' && since !== undefined) resolve((performance.now() - since) / 1000);
      });
    });
  }

  end(): void {
    this.#pusher.disconnect();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function measure(setting: Setting): Promise<readonly number[]> {
  const service = new Service(setting, await freePort());
  service.start();
  try {
    await service.logged('effective limits', 1);
    const clients = Array.from({ length: CLIENTS }, () => new Client(service.port));
    await Promise.all(clients.map(({ connected }) => connected));
    const away = Promise.all(clients.map((client) => client.away));
    await service.restart(setting);
    const seconds = await away;
    for (const client of clients) client.end();
    return seconds.toSorted((a, b) => a - b);
  } finally {
    await service.stop();
  }
}

const rows = [];
for (const setting of SETTINGS) {
  const seconds = await measure(setting);
  const [median, longest] = [seconds[Math.floor(seconds.length / 2)] ?? 0, seconds.at(-1) ?? 0];
  rows.push(
    `| ${setting.name} | ${setting.drainWindowSeconds} | ${median.toFixed(1)} s | ${longest.toFixed(1)} s |`,
  );
  process.stdout.write(`${rows.at(-1)}\n`);
}
const heading = '| | `drainWindowSeconds` | Median | Longest |\n| --- | --- | --- | --- |';
if (process.argv.includes('--write')) {
  writeFileSync(
    PAGE,
    replaceBetween(readFileSync(PAGE, 'utf8'), 'restart', `${heading}\n${rows.join('\n')}`),
  );
}
process.exit(0);
