/**
 * `npm run bench:replay`: a crowd comes back at once, as after a deploy, and each of it has missed some messages. How long until
 * all have them, and what does somebody notice who was there all the time? The crowd is a process of its own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Countersign } from '@countersign/sdk-server';
import { WebSocket } from 'ws';
import { HOST, Machine } from './machine.ts';
import { replaceBetween } from './page.ts';

const APP = { appId: 'app-id', key: 'app-key', secret: 'bench-8f3c1d7a52e94b60' };
const CLIENTS = 10_000;
const CHANNELS = 100;
const BEHIND = 20;
/** Milliseconds between two live events. */
const PACE_MS = 20;
const LIVE = 'live';
const PAGE = new URL('../../../docs/performance.md', import.meta.url);
const HISTORY = [{ channels: '*', seconds: 600, messages: 1000 }];
/** What each event that was missed has, and nothing else. */
const REPLAYED = Buffer.from('"replayed":true');

/** Where a client comes back. */
interface Orders {
  readonly port: number;
  /** The position after which each channel is missed. */
  readonly positions: readonly string[];
}

const channelOf = (n: number) => `room-${n % CHANNELS}`;

/** A text frame as clients send it: masked with zeros, which change nothing. */
function frameOf(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const length = text.length < 126 ? [0x80 | text.length] : [0x80 | 126, text.length >> 8, text.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), text]);
}

/** Comes back, again when that fails; resolves when everything that was missed is there. */
async function comeBack(orders: Orders, n: number): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    try {
      await attempt(orders, n);
      return tries;
    } catch {
      await sleep(Math.random() * 1000);
    }
  }
}

/** One attempt, by a socket without a library, so that the crowd costs little. */
function attempt({ port, positions }: Orders, n: number): Promise<void> {
  const path = '/app/app-key?protocol=7&client=bench&version=1.0&countersign=1';
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const after = positions[n % CHANNELS];
  return new Promise((resolve, reject) => {
    const socket = connect(port, HOST);
    let [rest, missing, isOpen] = [Buffer.alloc(0), BEHIND, false];
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed with ${missing} events missing`)));
    socket.on('data', (chunk: Buffer) => {
      if (!isOpen) {
        if (!chunk.includes('101 Switching')) return;
        isOpen = true;
        socket.write(frameOf({ event: 'pusher:subscribe', data: { channel: channelOf(n), after } }));
      }
      const bytes = Buffer.concat([rest, chunk]);
      let from = 0;
      for (let at = bytes.indexOf(REPLAYED); at >= 0; at = bytes.indexOf(REPLAYED, from)) {
        from = at + REPLAYED.length;
        missing -= 1;
        if (missing === 0) resolve();
      }
      // The mark may be cut in two.
      rest = Buffer.from(bytes.subarray(Math.max(from, bytes.length - REPLAYED.length + 1)));
    });
  });
}

/** The crowd's process. */
async function beCrowd(): Promise<void> {
  const [orders] = (await once(process, 'message')) as [Orders];
  const tries = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => comeBack(orders, n)));
  process.send?.({ retried: tries.filter((each) => each > 1).length });
}

/** Somebody who is there all the time, and how long each event took to come, in milliseconds. */
async function witness(port: number): Promise<{ readonly took: number[]; close(): void }> {
  const socket = new WebSocket(`ws://${HOST}:${port}/app/app-key?protocol=7&client=bench&version=1.0`);
  const took: number[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (frame) => {
      const { event, data } = JSON.parse(frame.toString());
      if (event === 'pusher:connection_established')
        socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel: LIVE } }));
      else if (event === 'pusher_internal:subscription_succeeded') resolve();
      else took.push(performance.now() - JSON.parse(data).at);
    });
  });
  return { took, close: () => socket.terminate() };
}

async function positionsAt(backend: Countersign): Promise<string[]> {
  const all = Array.from({ length: CHANNELS }, async (_, n) => {
    const { channels } = await backend.trigger(channelOf(n), 'first', {}, { info: 'position' });
    return String(channels?.[channelOf(n)]?.position);
  });
  return Promise.all(all);
}

async function measure(): Promise<string> {
  const machine = await Machine.start({ name: 'one broker' }, { history: HISTORY });
  let crowd: ChildProcess | undefined;
  try {
    const [port = 0] = machine.ports;
    const backend = new Countersign({ ...APP, host: HOST, port });
    // Over a connection that it has already: opening one would wait behind the crowd.
    const live = new Countersign({ ...APP, host: HOST, port, publishOver: 'websocket' });
    const positions = await positionsAt(backend);
    for (let event = 0; event < BEHIND; event += 1) {
      const text = 'x'.repeat(100);
      await Promise.all(positions.map((_, n) => backend.trigger(channelOf(n), 'message', { text })));
    }
    const { took, close } = await witness(port);
    crowd = fork(fileURLToPath(import.meta.url), ['crowd']);
    const pace = setInterval(() => void live.trigger(LIVE, 'e', { at: performance.now() }), PACE_MS);
    await sleep(1000);
    took.length = 0;
    const [before, cpuBefore] = [performance.now(), machine.cpu().brokers];
    crowd.send({ port, positions } satisfies Orders);
    const [end] = await Promise.race([once(crowd, 'message'), once(crowd, 'exit')]);
    const seconds = (performance.now() - before) / 1000;
    const cpu = machine.cpu().brokers - cpuBefore;
    clearInterval(pace);
    if (typeof end?.retried !== 'number') throw new Error('The crowd did not come back');
    close();
    await live.close();
    took.sort((a, b) => a - b);
    const at = (share: number) => (took[Math.floor((took.length - 1) * share)] ?? NaN).toFixed(0);
    const count = (number: number) => number.toLocaleString('en');
    return `| ${count(CLIENTS)} clients in ${CHANNELS} channels come back at once, ${BEHIND} messages behind: all are whole, s; CPU of the broker, s; tried again | ${seconds.toFixed(1)}; ${cpu.toFixed(1)}; ${end.retried} |
| live events meanwhile, to a client that was there: p50, p99, longest, ms | ${at(0.5)}, ${at(0.99)}, ${at(1)} |`;
  } finally {
    crowd?.kill('SIGKILL');
    await machine.stop();
  }
}

if (process.argv[2] === 'crowd') await beCrowd();
else {
  const text = `Node ${process.version}.

| figure | |
| --- | --- |
${await measure()}`;
  console.log(text);
  if (process.argv.includes('--write'))
    writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'replay', text));
}
process.exit();
