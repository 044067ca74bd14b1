/**
 * The generator where there is no C compiler: the same options and figures as load/wsload.c, as far as scenarios.ts
 * needs them. It costs more than most servers under test, so a saturated run shows its limit rather than theirs.
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';
import { Latencies, Marks } from './marks.ts';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '6001' },
    pids: { type: 'string', default: '' },
    path: { type: 'string', default: '/app/app-key?protocol=7&client=bench&version=1.0' },
    hello: { type: 'string', default: 'connection_established' },
    sub: { type: 'string', default: '' },
    ack: { type: 'string', default: 'subscription_succeeded' },
    publish: { type: 'string', default: 'none' },
    pub: { type: 'string', default: '' },
    'http-path': { type: 'string', default: '' },
    prefix: { type: 'string', default: 'bench-' },
    conns: { type: 'string', default: '100' },
    channels: { type: 'string', default: '1' },
    pending: { type: 'string', default: '128' },
    inflight: { type: 'string', default: '4' },
    window: { type: 'string', default: '16' },
    rate: { type: 'string', default: '0' },
    size: { type: 'string', default: '100' },
    slow: { type: 'string', default: '0' },
    warmup: { type: 'string', default: '1' },
    duration: { type: 'string', default: '5' },
    drain: { type: 'string', default: '5' },
    idle: { type: 'string', default: '0' },
    multi: { type: 'string', default: '0' },
    self: { type: 'string', default: '0' },
    'connect-timeout': { type: 'string', default: '120' },
  },
});

const [APP_ID, KEY, SECRET] = ['app-id', 'app-key', 'bench-8f3c1d7a52e94b60'];
const connections = Number(options.conns);
const channels = Number(options.channels);
const publishers = Math.min(Number(options.inflight), options.publish === 'ws' ? connections : Infinity);
const isPrivate = options.prefix.startsWith('private-');
const subscribeTemplate =
  options.sub || `{"event":"pusher:subscribe","data":{${isPrivate ? '"auth":"%a",' : ''}"channel":"%c"}}`;
const publishTemplate =
  options.pub ||
  (options.publish === 'ws'
    ? '{"event":"client-m","channel":"%c","data":{"id":"%m"}}'
    : '{"name":"m","channels":["%c"],"data":"%j"}');

const marks = new Marks(Number(options.size));
const latencies = new Latencies();
const answers = new Latencies();
const agent = new Agent({ keepAlive: true, maxSockets: publishers });
const sockets: WebSocket[] = [];
/** Publishers whose last message was answered, or which need no answer. */
const free = Array.from({ length: publishers }, (_, index) => index);
let delivered = 0;
let expected = 0;
let outOfOrder = 0;
let answered = 0;
let failed = 0;
let published = 0;
let isMeasured = false;

const channelOf = (index: number) => `${options.prefix}${index % channels}`;

function expand(template: string, channel: string, auth = '', mark = ''): string {
  const values: Readonly<Record<string, string>> = {
    c: channel,
    a: auth,
    k: KEY,
    m: mark,
    j: `{\\"id\\":\\"${mark}\\"}`,
  };
  return template.replace(/%([cakmj])/g, (_, name: string) => values[name] ?? '').replaceAll('\\n', '\n');
}

/** Connects and subscribes one client; resolves when that is acknowledged. */
function connect(index: number): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${options.port}${options.path}`, { perMessageDeflate: false });
  const channel = channelOf(index);
  const seen = new Map<number, number>();
  sockets[index] = socket;
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    const subscribe = (text: string) => {
      const socketId = /socket_id\W+([\d.]+)/.exec(text)?.[1] ?? '';
      const signature = createHmac('sha256', SECRET).update(`${socketId}:${channel}`).digest('hex');
      socket.send(expand(subscribeTemplate, channel, `${KEY}:${signature}`));
    };
    const read = (text: string) => {
      const mark = marks.read(text);
      if (mark) {
        delivered += 1;
        if (mark.sequence <= (seen.get(mark.publisher) ?? 0)) outOfOrder += 1;
        seen.set(mark.publisher, mark.sequence);
        if (isMeasured) latencies.add(performance.now() - mark.sentAt);
      } else if (text.includes(options.ack)) {
        resolve();
      } else if (options.hello !== '' && text.includes(options.hello)) {
        subscribe(text);
      } else if (text === '2') {
        socket.send('3'); // engine.io: ping, pong
      } else if (text === '{}') {
        socket.send('{}'); // Centrifugo: ping, pong
      }
    };
    if (options.hello === '') socket.on('open', () => subscribe(''));
    socket.on('message', (data) => {
      const text = String(data);
      // One frame of Centrifugo may have several messages, one a line.
      for (const part of options.multi === '1' ? text.split('\n') : [text]) read(part);
    });
  });
}

async function connectAll(): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < connections) await connect(next++);
  };
  await Promise.all(Array.from({ length: Math.min(Number(options.pending), connections) }, worker));
}

/** @param dueAt when the message should have left, on the clock of `performance.now` */
function publishOne(dueAt: number): boolean {
  const publisher = free.shift();
  if (publisher === undefined) return false;
  const isHttp = options.publish === 'http';
  const channel = channelOf(isHttp ? published : publisher);
  const body = expand(publishTemplate, channel, '', marks.make(publisher, dueAt));
  published += 1;
  expected += Math.max(0, audience(channel) - (isHttp || options.self === '1' ? 0 : 1));
  if (isHttp) {
    post(body, publisher);
  } else {
    sockets[publisher]?.send(body);
    free.push(publisher);
  }
  return true;
}

function audience(channel: string): number {
  const index = Number(channel.slice(options.prefix.length));
  return Math.floor(connections / channels) + (index < connections % channels ? 1 : 0);
}

function post(body: string, publisher: number): void {
  const start = performance.now();
  const done = (isOk: boolean) => {
    free.push(publisher);
    if (!isOk) failed += 1;
    else if (isMeasured) {
      answered += 1;
      answers.add(performance.now() - start);
    }
  };
  const path = options['http-path'] || signedPath(body);
  const call = request({ agent, method: 'POST', host: '127.0.0.1', port: options.port, path }, (response) => {
    response.resume().on('end', () => done(response.statusCode === 200));
  });
  call.on('error', () => done(false));
  call.end(body);
}

function signedPath(body: string): string {
  const path = `/apps/${APP_ID}/events`;
  const md5 = createHash('md5').update(body).digest('hex');
  const query = `auth_key=${KEY}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0&body_md5=${md5}`;
  const signature = createHmac('sha256', SECRET).update(`POST\n${path}\n${query}`).digest('hex');
  return `${path}?${query}&auth_signature=${signature}`;
}

/** Publishes at a fixed rate, or as fast as answers and deliveries come back. */
async function publishFor(seconds: number, start: number, alreadySent: number): Promise<number> {
  const end = performance.now() + seconds * 1000;
  const rate = Number(options.rate);
  const backlog = Number(options.window) * Math.max(1, connections / channels);
  let sent = alreadySent;
  for (let now = performance.now(); now < end; now = performance.now()) {
    if (rate > 0) {
      for (let due = start + (sent / rate) * 1000; due <= now; due = start + (sent / rate) * 1000) {
        if (!publishOne(due)) break;
        sent += 1;
      }
    } else {
      while (expected - delivered <= backlog && publishOne(performance.now())) sent += 1;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

/** CPU seconds and resident KiB of the server; nothing where the system has no /proc. */
function usage(): { readonly cpu: number; readonly rssKib: number } | undefined {
  try {
    const [, fields = ''] = readFileSync(`/proc/${options.pids}/stat`, 'utf8').split(') ');
    const [user, system] = fields.split(' ').slice(11, 13).map(Number);
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${options.pids}/status`, 'utf8'));
    return { cpu: ((user ?? 0) + (system ?? 0)) / 100, rssKib: Number(rss?.[1]) };
  } catch {
    return undefined;
  }
}

const before = usage();
const connectStart = performance.now();
const overdue = sleep(Number(options['connect-timeout']) * 1000, undefined, { ref: false });
await Promise.race([connectAll(), overdue.then(() => Promise.reject(new Error('not all could subscribe')))]);
const connectSeconds = (performance.now() - connectStart) / 1000;
const connected = usage();
await sleep(Number(options.idle) * 1000);
const idle = usage();

const slow = Array.from({ length: Number(options.slow) }, (_, index) => {
  return sockets[connections - 1 - index * Math.floor((connections - publishers) / Number(options.slow))];
});
for (const socket of slow) {
  socket?.removeAllListeners('message').on('message', () => {});
  socket?.pause();
}

let measured: object = {};
if (options.publish !== 'none') {
  const start = performance.now();
  const sent = await publishFor(Number(options.warmup), start, 0);
  isMeasured = true;
  const [from, deliveredBefore, publishedBefore] = [usage(), delivered, published];
  const measureStart = performance.now();
  let rssMax = from?.rssKib ?? 0;
  const watch = setInterval(() => {
    rssMax = Math.max(rssMax, usage()?.rssKib ?? 0);
  }, 250);
  await publishFor(Number(options.duration), start, sent);
  clearInterval(watch);
  isMeasured = false;
  const seconds = (performance.now() - measureStart) / 1000;
  const cpu = from ? (usage()?.cpu ?? Number.NaN) - from.cpu : undefined;
  const deliveries = delivered - deliveredBefore;
  for (let left = Number(options.drain) * 20; left > 0 && delivered < expected; left -= 1) await sleep(50);
  measured = {
    deliveries_per_s: deliveries / seconds,
    ...(cpu !== undefined && {
      us_per_delivery: deliveries > 0 ? (cpu * 1e6) / deliveries : 0,
      us_per_publish: (cpu * 1e6) / (published - publishedBefore),
    }),
    ...(from && { rss_first_kib: from.rssKib, rss_max_kib: rssMax }),
    published: published - publishedBefore,
    lat_us: latencies.microseconds(),
    http_us: answers.microseconds(),
    http_per_s: answered / seconds,
    http_err: failed,
    // What slow readers did not read is not lost.
    lost: slow.length > 0 ? 0 : expected - delivered,
    out_of_order: outOfOrder,
  };
}

for (const socket of slow) socket?.resume();
if (slow.length > 0) await sleep(1000);
const each = Math.max(1, connections);
process.stdout.write(
  JSON.stringify({
    conns: connections,
    ready: connections,
    connects_per_s: connections / connectSeconds,
    ...(before &&
      connected &&
      idle && {
        connect_cpu_us: ((connected.cpu - before.cpu) * 1e6) / each,
        kib_per_conn_idle: (idle.rssKib - before.rssKib) / each,
      }),
    ...measured,
    ...(slow.length > 0 && {
      slow_closed: slow.filter((socket) => socket?.readyState !== WebSocket.OPEN).length,
    }),
  }),
  () => process.exit(0),
);
