/**
 * `npm run bench:neighbours`: what a quiet app notices while another one on the same process does all that its limits allow.
 * The loud app publishes to a channel with thousands of subscribers, and its clients come and go; the quiet one publishes ten
 * times a second to one subscriber. The clients of the loud app are in a process of their own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Countersign } from '@countersign/sdk-server';
import { createServer, parseConfig } from '@countersign/server';
import WebSocket from 'ws';

const SUBSCRIBERS = 4000;
/** Publishes of the loud app in a second, and connections that it opens and closes in one. */
const LOUD = { publishes: 100, connections: 200 };
const QUIET_MS = 100;
const SAMPLES = 200;
const APPS = ['loud', 'quiet'].map((id, n) => ({
  id: String(n + 1),
  keys: [{ key: `key-of-${id}`, secret: `secret-of-${id}` }],
  limits: { httpRequestsPerSecond: LOUD.publishes },
}));
const HELLO = 'pusher:connection_established';

const [, , role, portText] = process.argv;
const port = Number(portText);

function backendOf(app: (typeof APPS)[number], at: number): Countersign {
  const [{ key, secret } = { key: '', secret: '' }] = app.keys;
  return new Countersign({ appId: app.id, key, secret, host: '127.0.0.1', port: at, useTLS: false });
}

/** A subscriber of `news`, once it is one. */
async function subscribe(at: number, key: string, onEvent: (data: string) => void): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${at}/app/${key}?protocol=7`);
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (text: Buffer) => {
      const frame = text.toString();
      if (frame.includes(HELLO)) socket.send('{"event":"pusher:subscribe","data":{"channel":"news"}}');
      else if (frame.includes('subscription_succeeded')) resolve();
      else onEvent(frame);
    });
  });
  return socket;
}

async function playBroker(): Promise<void> {
  const broker = await createServer(parseConfig({ port: 0, apps: APPS, log: { level: 'error' } }));
  process.send?.(broker.port);
}

async function playLoud(): Promise<void> {
  for (let n = 0; n < SUBSCRIBERS; n += 100)
    await Promise.all(Array.from({ length: 100 }, () => subscribe(port, 'key-of-loud', () => {})));
  process.send?.('ready');
  await once(process, 'message');
  const backend = backendOf(APPS[0]!, port);
  const filler = 'x'.repeat(200);
  setInterval(() => void backend.trigger('news', 'e', filler).catch(() => {}), 1000 / LOUD.publishes);
  setInterval(() => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/app/key-of-loud?protocol=7`);
    socket.on('error', () => {}).on('message', () => socket.close());
  }, 1000 / LOUD.connections);
}

/** Milliseconds from each publish of the quiet app to its delivery, to its answer, and for a new connection. */
async function measure(at: number): Promise<Record<'delivery' | 'publish' | 'connect', number[]>> {
  const backend = backendOf(APPS[1]!, at);
  const times = { delivery: [] as number[], publish: [] as number[], connect: [] as number[] };
  let delivered = (): void => {};
  const subscriber = await subscribe(at, 'key-of-quiet', () => delivered());
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const start = performance.now();
    const since = () => performance.now() - start;
    const delivery = new Promise<void>((resolve) => {
      delivered = resolve;
    }).then(() => times.delivery.push(since()));
    const publish = backend.trigger('news', 'e', sample).then(() => times.publish.push(since()));
    const connect = subscribe(at, 'key-of-quiet', () => {}).then((socket) => {
      times.connect.push(since());
      socket.close();
    });
    await Promise.all([delivery, publish, connect]);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, QUIET_MS - since())));
  }
  subscriber.close();
  return times;
}

function quantile(times: readonly number[], share: number): string {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * share)]!.toFixed(1);
}

async function start(...args: string[]): Promise<readonly [ChildProcess, unknown]> {
  const child = fork(fileURLToPath(import.meta.url), args);
  const [message] = await once(child, 'message');
  return [child, message];
}

if (role === 'broker') await playBroker();
else if (role === 'loud') await playLoud();
else {
  const [broker, at] = await start('broker');
  const [loud] = await start('loud', String(at));
  const alone = await measure(Number(at));
  loud.send('go');
  const beside = await measure(Number(at));
  for (const what of ['delivery', 'publish', 'connect'] as const) {
    const line = [alone, beside].map(
      (times) => `p50 ${quantile(times[what], 0.5)} p99 ${quantile(times[what], 0.99)}`,
    );
    console.log(`${what.padEnd(9)} alone: ${line[0]} ms, beside a loud app: ${line[1]} ms`);
  }
  for (const child of [loud, broker]) child.kill('SIGKILL');
}
