/**
 * `npm run bench:cluster`: what workers and Redis cost, and how fast webhooks are told. This process publishes, reads
 * all that is received and is told the webhooks, so where it shares the processors with the brokers, a saturated run
 * shows its limit; the processor time of each part does not suffer from that.
 */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { Countersign } from '@countersign/sdk-server';
import { WebSocket } from 'ws';
import { HOST, Machine, type Setting } from './machine.ts';
import { replaceBetween } from './page.ts';

const APP = { appId: 'app-id', key: 'app-key', secret: 'bench-8f3c1d7a52e94b60' };
const SUBSCRIBERS = 200;
/** Events per second at which the delay is measured, and how many. */
const CALM_RATE = 50;
const CALM_EVENTS = 250;
/** Events of a saturated run, and publishes that wait for their answer at a time. */
const FULL_EVENTS = 2000;
const IN_FLIGHT = 16;
const CLIENT_EVENTS = 5000;
const CHANNELS = 100;
const ROUNDS = 3;
const PAGE = new URL('../../../docs/scaling.md', import.meta.url);

const cores = availableParallelism();
const SETTINGS: readonly Setting[] = [
  { name: 'one broker' },
  { name: 'two workers', workers: 2 },
  ...(cores >= 4 ? [{ name: 'four workers', workers: 4 }] : []),
  ...(cores >= 8 ? [{ name: 'eight workers', workers: 8 }] : []),
  { name: 'one broker on Redis', store: 'redis' },
  { name: 'two brokers on Redis', brokers: 2, store: 'redis' },
];
const OUTBOXES: readonly Setting[] = [
  { name: 'in memory' },
  { name: 'in SQLite (`data`)', store: 'sqlite' },
  { name: 'in Redis', store: 'redis' },
];

type Row = Readonly<Record<string, number>>;

const fanOut = await rounds(SETTINGS, (setting) => drive(setting, 1));
const single = await rounds(SETTINGS, (setting) => drive(setting, SUBSCRIBERS));
const webhooks = await rounds(OUTBOXES, tell);
const tables = [
  `One channel with ${SUBSCRIBERS} subscribers:\n\n${tableOf(fanOut)}`,
  `${SUBSCRIBERS} channels with one subscriber each:\n\n${tableOf(single)}`,
  `Webhooks, one request for each event, at most eight at a time, to a receiver that answers at once:\n\n${tableOf(webhooks)}`,
];
const text = `Node ${process.version}, medians of ${ROUNDS} rounds.\n\n${tables.join('\n\n')}\n`;
process.stdout.write(`\n${text}`);
if (process.argv.includes('--write')) {
  writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'cluster', text));
}

/** Each setting in each round, forth and back, so that nobody always has the calmer machine. */
async function rounds(
  settings: readonly Setting[],
  measure: (setting: Setting) => Promise<Row>,
): Promise<ReadonlyMap<string, readonly Row[]>> {
  const results = new Map<string, Row[]>(settings.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const setting of round % 2 === 0 ? settings : settings.toReversed()) {
      process.stderr.write(`round ${round + 1} of ${ROUNDS}: ${setting.name}\n`);
      results.get(setting.name)?.push(await measure(setting));
    }
  }
  return results;
}

/** Publishes through the first broker, to subscribers that all brokers share. */
async function drive(setting: Setting, channels: number): Promise<Row> {
  const machine = await Machine.start(setting);
  try {
    const delays: number[] = [];
    let received = 0;
    const onEvent = (data: string): void => {
      received += 1;
      delays.push(performance.now() - JSON.parse(data).at);
    };
    const sockets = await Promise.all(
      Array.from({ length: SUBSCRIBERS }, (_, i) =>
        subscribe(machine.ports[i % machine.ports.length] ?? 0, `bench-${i % channels}`, onEvent),
      ),
    );
    const countersign = new Countersign({ ...APP, host: HOST, port: machine.ports[0] ?? 0, coalesce: false });
    let published = 0;
    const publish = () => {
      published += 1;
      return countersign.trigger(`bench-${published % channels}`, 'event', {
        at: performance.now(),
        filler: 'x'.repeat(80),
      });
    };
    const each = SUBSCRIBERS / channels;

    for (let n = 0; n < CALM_EVENTS; n += 1) {
      await Promise.all([publish(), new Promise((resolve) => setTimeout(resolve, 1000 / CALM_RATE))]);
    }
    await settled(() => received, CALM_EVENTS * each);
    const calm = delays.splice(0).sort((a, b) => a - b);

    const [before, cpuBefore] = [performance.now(), machine.cpu()];
    await atOnce(IN_FLIGHT, FULL_EVENTS, publish);
    const answered = performance.now();
    const expected = published * each;
    await settled(() => received, expected);
    const [done, cpu] = [performance.now(), machine.cpu()];
    for (const socket of sockets) socket.terminate();
    const perPublish = (part: 'brokers' | 'parent' | 'redis') =>
      ((cpu[part] - cpuBefore[part]) * 1e6) / FULL_EVENTS;
    return {
      'publishes/s': (FULL_EVENTS * 1000) / (answered - before),
      'deliveries/s': (FULL_EVENTS * each * 1000) / (done - before),
      'delay p50, ms': calm[Math.floor(calm.length / 2)] ?? 0,
      'delay p99, ms': calm[Math.floor(calm.length * 0.99)] ?? 0,
      'CPU us / publish: brokers': perPublish('brokers'),
      'parent of workers': perPublish('parent'),
      Redis: perPublish('redis'),
      lost: expected - received,
    };
  } finally {
    await machine.stop();
  }
}

/** Has clients send events, of each of which the backend is told. */
async function tell(setting: Setting): Promise<Row> {
  let told = 0;
  const receiver = createServer((request, response) => {
    told += 1;
    request.resume().once('end', () => response.end());
  }).listen(0, HOST);
  await once(receiver, 'listening');
  const address = receiver.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const webhooks = [{ url: `http://${HOST}:${port}/`, events: ['client_event'] }];
  const machine = await Machine.start(setting, { webhooks });
  try {
    const sockets = await Promise.all(
      Array.from({ length: CHANNELS }, (_, n) => subscribe(machine.ports[0] ?? 0, `private-${n}`, () => {})),
    );
    const [before, cpuBefore] = [performance.now(), machine.cpu()];
    for (let n = 0; n < CLIENT_EVENTS; n += 1) {
      const channel = `private-${n % CHANNELS}`;
      sockets[n % CHANNELS]?.send(JSON.stringify({ event: 'client-e', channel, data: { n } }));
    }
    await settled(() => told, CLIENT_EVENTS);
    const [done, cpu] = [performance.now(), machine.cpu()];
    for (const socket of sockets) socket.terminate();
    return {
      'events/s': (CLIENT_EVENTS * 1000) / (done - before),
      'CPU us / event: broker': ((cpu.brokers - cpuBefore.brokers) * 1e6) / CLIENT_EVENTS,
      Redis: ((cpu.redis - cpuBefore.redis) * 1e6) / CLIENT_EVENTS,
      lost: CLIENT_EVENTS - told,
    };
  } finally {
    await machine.stop();
    receiver.closeAllConnections();
    receiver.close();
  }
}

async function subscribe(port: number, channel: string, onEvent: (data: string) => void): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${HOST}:${port}/app/app-key?protocol=7&client=bench&version=1.0`);
  const backend = new Countersign({ ...APP, host: HOST, port, coalesce: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (frame) => {
      const { event, data } = JSON.parse(frame.toString());
      if (event === 'event') onEvent(data);
      else if (event === 'pusher:connection_established') {
        const { socket_id: socketId } = JSON.parse(data);
        const proof = channel.startsWith('private-') ? backend.authorizeChannel(socketId, channel) : {};
        socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel, ...proof } }));
      } else if (event === 'pusher_internal:subscription_succeeded') resolve();
    });
  });
  return socket;
}

/** Does something so many times, some of them side by side. */
async function atOnce(parallel: number, times: number, work: () => Promise<unknown>): Promise<void> {
  let left = times;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: parallel }, one));
}

/** Waits until all is there, or nothing more comes for two seconds. */
async function settled(count: () => number, expected: number): Promise<void> {
  let last = -1;
  for (let quiet = 0; count() < expected && quiet < 200; quiet += 1) {
    if (count() > last) quiet = 0;
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function tableOf(results: ReadonlyMap<string, readonly Row[]>): string {
  const [first = []] = results.values();
  const figures = Object.keys(first[0] ?? {});
  const rows = [...results].map(([name, runs]) => [name, ...figures.map((figure) => cellOf(figure, runs))]);
  const head = ['', ...figures];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cellOf(figure: string, runs: readonly Row[]): string {
  const values = runs.map((run) => run[figure] ?? 0).sort((a, b) => a - b);
  if (figure === 'lost') return String(values.reduce((sum, value) => sum + value, 0));
  const value = values[Math.floor(values.length / 2)] ?? 0;
  if (value === 0) return '';
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
