import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { publish } from '../helpers/api.ts';
import { APP } from '../helpers/brokers/server.ts';

const SUBSCRIBERS = 2000;
const PUBLISHES = 400;
const PER_SECOND = 100;
const CONNECTIONS_PER_SECOND = 200;
const PATH = `/app/${APP.key}?protocol=7`;
/** Bytes that the heap may differ by: what the compiler and the caches of node keep. */
const HEAP_SLACK = 3 * 1024 * 1024;

function start(script: string, args: string[] = [], options: Parameters<typeof fork>[2] = {}): ChildProcess {
  const child = fork(new URL(`flood/${script}`, import.meta.url), args, options);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function ask<T>(child: ChildProcess, question: object | string): Promise<T> {
  const answer = once(child, 'message');
  child.send(question);
  return (await answer)[0] as T;
}

interface Memory {
  readonly heap: number;
  /** Connection objects that the heap holds. */
  readonly connections: number;
}

function memory({ heap, connections }: Memory, before: number) {
  return { connections, isBack: heap - before < HEAP_SLACK };
}

/** Runs `step` so many times a second, on schedule also when a step took long. */
async function atRate(count: number, perSecond: number, step: (index: number) => void): Promise<void> {
  const start = performance.now();
  for (let index = 0; index < count; index += 1) {
    const due = start + (index * 1000) / perSecond;
    if (due > performance.now()) await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
    step(index);
  }
}

/** One client that comes, subscribes, is acknowledged and goes without a word. */
async function comeAndGo(url: string): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${PATH}`);
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const { event } = JSON.parse(data.toString());
    if (event === 'pusher:connection_established') {
      socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'flood' } }));
    } else {
      socket.terminate();
    }
  });
  await once(socket, 'close');
}

test('a flood to two thousand subscribers, while others come and go, loses nothing and leaves nothing behind', async () => {
  const config = {
    host: '127.0.0.1',
    port: 0,
    apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }],
  };
  const env = { ...process.env, FLOOD_CONFIG: JSON.stringify(config) };
  const child = start('broker.js', [], { execArgv: ['--expose-gc', '--max-semi-space-size=4'], env });
  const { url } = (await once(child, 'message'))[0] as { url: string };
  const broker = { url };

  // What is compiled and cached once is there before the memory is looked at.
  await Promise.all(Array.from({ length: 50 }, () => comeAndGo(url)));
  await publish(broker, 'flood', 'warm-up', '');
  const { heap: before } = await ask<Memory>(child, 'heap');

  const readers = start('readers.js', [new URL(url).port, PATH, 'flood', String(SUBSCRIBERS)]);
  await once(readers, 'message');
  expect((await ask<Memory>(child, 'heap')).connections).toBe(SUBSCRIBERS);

  const published: Promise<void>[] = [];
  const visits: Promise<void>[] = [];
  const seconds = PUBLISHES / PER_SECOND;
  await Promise.all([
    atRate(PUBLISHES, PER_SECOND, (index) => {
      // One after the other, so that their order is that of the requests.
      const last = published.at(-1) ?? Promise.resolve();
      published.push(last.then(() => publish(broker, 'flood', 'flood', `${index} ${Date.now()}`)));
    }),
    atRate(seconds * CONNECTIONS_PER_SECOND, CONNECTIONS_PER_SECOND, () => visits.push(comeAndGo(url))),
  ]);
  await Promise.all([...published, ...visits]);

  const report = await ask<{ behind: number; faults: number; p50: number; p99: number }>(readers, {
    total: PUBLISHES,
    until: Date.now() + 30_000,
  });
  console.log(`flood: ${PUBLISHES * SUBSCRIBERS} deliveries, p50 ${report.p50} ms, p99 ${report.p99} ms`);
  expect(report).toMatchObject({ behind: 0, faults: 0 });

  const gone = once(readers, 'exit');
  readers.send('stop');
  await gone;
  await expect
    .poll(async () => memory(await ask<Memory>(child, 'heap'), before))
    .toEqual({ connections: 0, isBack: true });
}, 90_000);
