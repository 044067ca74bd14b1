/**
 * `npm run bench:redis`: what Redis costs. One event at a time to many subscribers, through one broker without Redis,
 * one on Redis, and two on Redis that share the subscribers; the publisher asks the first. This process reads all that is
 * received, so a saturated run shows its limit where it shares the processors with the brokers.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Countersign } from '@countersign/sdk-server';
import { WebSocket } from 'ws';

const SUBSCRIBERS = 200;
/** Events per second at which the delay is measured, and how many. */
const CALM_RATE = 50;
const CALM_EVENTS = 250;
/** Events of a saturated run, and publishes that wait for their answer at a time. */
const FULL_EVENTS = 1500;
const IN_FLIGHT = 16;
const ROUNDS = 3;
const HOST = '127.0.0.1';
const CLI = fileURLToPath(new URL('../../../server/dist/cli.js', import.meta.url));
const CONFIG = fileURLToPath(new URL('../broker.json', import.meta.url));

interface Setting {
  readonly name: string;
  readonly nodes: number;
  readonly onRedis: boolean;
}

const SETTINGS: readonly Setting[] = [
  { name: 'one broker, no Redis', nodes: 1, onRedis: false },
  { name: 'one broker on Redis', nodes: 1, onRedis: true },
  { name: 'two brokers on Redis', nodes: 2, onRedis: true },
];

interface Result {
  readonly published: number;
  readonly delivered: number;
  readonly p50: number;
  readonly p99: number;
  readonly lost: number;
}

const results = new Map<Setting, Result[]>(SETTINGS.map((setting) => [setting, []]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const setting of round % 2 === 0 ? SETTINGS : SETTINGS.toReversed()) {
    process.stderr.write(`round ${round + 1} of ${ROUNDS}: ${setting.name}\n`);
    results.get(setting)?.push(await measure(setting));
  }
}
const rows = [...results].map(([{ name }, runs]) => [
  name,
  median(runs, 'published').toFixed(0),
  median(runs, 'delivered').toFixed(0),
  median(runs, 'p50').toFixed(2),
  median(runs, 'p99').toFixed(2),
  runs.reduce((sum, { lost }) => sum + lost, 0),
]);
const head = ['', 'publishes/s', 'deliveries/s', 'delay p50, ms', 'delay p99, ms', 'lost'];
for (const cells of [head, head.map(() => '---'), ...rows])
  process.stdout.write(`| ${cells.join(' | ')} |\n`);

async function measure({ nodes, onRedis }: Setting): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  const processes: ChildProcess[] = [];
  try {
    const redisPort = await findPort();
    if (onRedis) {
      const flags = ['--port', String(redisPort), '--bind', HOST, '--dir', directory, '--save', ''];
      processes.push(await start('redis-server', [...flags, '--appendonly', 'yes'], 'Ready to accept'));
    }
    const ports: number[] = [];
    for (let node = 0; node < nodes; node += 1) {
      const port = await findPort();
      const env = onRedis ? { COUNTERSIGN_REDIS__URL: `redis://${HOST}:${redisPort}` } : {};
      const args = ['--max-semi-space-size=1', CLI, 'start', '--config', CONFIG, '--port', String(port)];
      processes.push(await start(process.execPath, args, '"msg":"listening"', env));
      ports.push(port);
    }
    return await drive(ports);
  } finally {
    for (const child of processes) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

async function drive(ports: readonly number[]): Promise<Result> {
  const delays: number[] = [];
  let received = 0;
  const onEvent = (sentAt: number): void => {
    received += 1;
    delays.push(performance.now() - sentAt);
  };
  const sockets = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, (_, i) => subscribe(ports[i % ports.length] ?? 0, onEvent)),
  );
  const countersign = new Countersign({
    appId: 'app-id',
    key: 'app-key',
    secret: 'app-secret',
    host: HOST,
    port: ports[0] ?? 0,
  });
  const publish = () =>
    countersign.trigger('bench', 'event', { at: performance.now(), filler: 'x'.repeat(80) });

  for (let i = 0; i < CALM_EVENTS; i += 1) {
    await Promise.all([publish(), new Promise((resolve) => setTimeout(resolve, 1000 / CALM_RATE))]);
  }
  await settled(() => received, CALM_EVENTS * SUBSCRIBERS);
  const calm = delays.splice(0).sort((a, b) => a - b);

  const before = performance.now();
  let left = FULL_EVENTS;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await publish();
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  const answered = performance.now();
  const expected = (CALM_EVENTS + FULL_EVENTS) * SUBSCRIBERS;
  await settled(() => received, expected);
  const done = performance.now();
  for (const socket of sockets) socket.terminate();
  return {
    published: (FULL_EVENTS * 1000) / (answered - before),
    delivered: (FULL_EVENTS * SUBSCRIBERS * 1000) / (done - before),
    p50: calm[Math.floor(calm.length / 2)] ?? 0,
    p99: calm[Math.floor(calm.length * 0.99)] ?? 0,
    lost: expected - received,
  };
}

async function subscribe(port: number, onEvent: (sentAt: number) => void): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${HOST}:${port}/app/app-key?protocol=7&client=bench&version=1.0`);
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (data) => {
      const { event, data: text } = JSON.parse(data.toString());
      if (event === 'event') onEvent(JSON.parse(text).at);
      else if (event === 'pusher:connection_established') {
        socket.send('{"event":"pusher:subscribe","data":{"channel":"bench"}}');
      } else if (event === 'pusher_internal:subscription_succeeded') resolve();
    });
  });
  return socket;
}

/** Waits until all is there, or nothing more comes. */
async function settled(count: () => number, expected: number): Promise<void> {
  for (let last = -1; count() < expected && count() > last; ) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, last === 0 ? 2000 : 500));
  }
}

async function start(
  command: string,
  args: readonly string[],
  until: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ChildProcess> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${command} has ended`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes(until)) resolve();
    });
  });
  return child;
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

function median(runs: readonly Result[], figure: keyof Result): number {
  const values = runs.map((run) => run[figure]).sort((a, b) => a - b);
  return values[Math.floor(values.length / 2)] ?? 0;
}
