import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect, open, type Received, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';
import { runningTime } from '../helpers/running-time.ts';

/** Large events, so that few of them fill what the kernel buffers between two processes. */
const limits = { eventDataBytes: 60_000 };
const padding = 'x'.repeat(59_000);
const tooSlow = { code: 4100, reason: 'The client reads too slowly' };
const isClose = (received: Received) => typeof received !== 'string';

/** A broker with small buffers, and how many connections of it have ended so far. */
async function start() {
  const { log, lines } = recordLog();
  const broker = await startServer({ limits, config: { maxBufferedBytes: 100_000 }, parts: { log } });
  const ended = () => lines.filter(({ msg }) => msg === 'disconnected');
  return { broker, ended };
}

/** A client that has subscribed to `news`, and reads nothing from then on. */
async function stuckClient(broker: Broker): Promise<TestClient> {
  const client = await connect(broker);
  await client.join('news');
  client.socket.pause();
  return client;
}

/** Publishes numbered events to `news` until something is the case; answers how many. */
async function flood(broker: Broker, done: () => boolean | Promise<boolean>): Promise<number> {
  let count = 0;
  for (; !(await done()); count += 1) {
    if (count === 2000) throw new Error('All of it found room in some buffer');
    await publish(broker, 'news', 'a', `${count} ${padding}`);
  }
  return count;
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => frames.event('a', 'news', `${index} ${padding}`));

/** Whether these are the same, without printing megabytes where they are not. */
const expectSame = (received: readonly Received[], expected: readonly string[]) =>
  expect(received.map((frame, index) => frame === expected[index])).toEqual(expected.map(() => true));

/** What `GET /metrics` tells under a name, of the first app where it tells it by app. */
async function figure(url: string, name: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:{.*})? (.*)$`, 'm').exec(page)?.[1]);
}

describe('a client that stops reading', () => {
  test('is closed with 4100, after a gapless beginning of what it was sent', async () => {
    const { broker, ended } = await start();
    const client = await stuckClient(broker);
    const count = await flood(broker, () => ended().length > 0);
    expect(ended()).toMatchObject([{ appId: APP.id, key: APP.key, socketId: client.socketId, ...tooSlow }]);

    client.socket.resume();
    const received = await client.until(isClose);
    expect(received.pop()).toEqual(tooSlow);
    expect(received.pop()).toBe(frames.error(4100, tooSlow.reason, 'slow_reader'));
    expectSame(received, numbered(count).slice(0, received.length));
  });

  test('does not harm the others, who get everything in order', async () => {
    const { broker, ended } = await start();
    const others = [await connect(broker), await connect(broker)];
    for (const other of others) await other.join('news');
    await stuckClient(broker);
    await stuckClient(broker);
    const count = await flood(broker, () => ended().length === 2);
    await publish(broker, 'news', 'last', 'x');
    for (const other of others) {
      const received = await other.until((frame) => frame === frames.event('last', 'news', 'x'));
      expectSame(received.slice(0, -1), numbered(count));
      expect(await other.nothing()).toEqual([]);
    }
  });

  test('is counted', async () => {
    const { broker, ended } = await start();
    await stuckClient(broker);
    await flood(broker, () => ended().length > 0);
    const page = await (await fetch(`${broker.url}/metrics`)).text();
    expect(page).toContain(`countersign_slow_readers_total{app="${APP.id}"} 1\n`);
    expect(page).toContain(`countersign_closes_total{app="${APP.id}",code="4100"} 1\n`);
    expect(page).toContain(`countersign_connections{app="${APP.id}"} 0\n`);
  });

  test('has left its channels at once', async () => {
    const { broker, ended } = await start();
    const other = await connect(broker);
    await other.join('presence-a', { user_id: 'ann' });
    const client = await connect(broker);
    await client.join('presence-a', { user_id: 'bob' });
    await client.join('news');
    client.socket.pause();
    await flood(broker, () => ended().length > 0);
    expect(await other.next()).toBe(frames.memberAdded('presence-a', 'bob'));
    expect(await other.next()).toBe(frames.memberRemoved('presence-a', 'bob'));
  });

  test('is gone a second later, whether it has read the close frame or not', async () => {
    const { broker, ended } = await start();
    await stuckClient(broker);
    await flood(broker, () => ended().length > 0);
    const startedAt = runningTime();
    await broker.drain();
    expect(runningTime() - startedAt).toBeLessThan(3000);
  });

  test('is kept when what waits for it stays within the limit', async () => {
    const { log, lines } = recordLog();
    const broker = await startServer({ limits, parts: { log } });
    const client = await stuckClient(broker);
    const count = await flood(
      broker,
      async () => (await figure(broker.url, 'countersign_buffered_bytes')) > 0,
    );
    client.socket.resume();
    for (const expected of numbered(count)) expect((await client.next()) === expected).toBe(true);
    expect(await client.nothing()).toEqual([]);
    expect(lines.filter(({ msg }) => msg === 'disconnected')).toEqual([]);
  });
});

test('many clients that stop reading do not make the broker grow', async () => {
  const file = await fileWith({
    port: 0,
    maxBufferedBytes: 100_000,
    apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], limits }],
  });
  const { port } = await startCli(['start', '--config', file]).logged('listening');
  const url = `http://127.0.0.1:${port}`;
  const clients = Array.from({ length: 20 }, () => open({ url }));
  for (const client of clients) {
    await client.established();
    await client.join('news');
    client.socket.pause();
  }

  let closed = 0;
  let peak = 0;
  const before = await figure(url, 'process_resident_memory_bytes');
  for (let megabytes = 0; megabytes < 60; megabytes += 6) {
    for (let count = 0; count < 100; count += 1) await publish({ url }, 'news', 'a', padding);
    peak = Math.max(peak, await figure(url, 'process_resident_memory_bytes'));
    closed = await figure(url, 'countersign_slow_readers_total');
  }
  expect(closed).toBe(20);
  expect((peak - before) / 2 ** 20).toBeLessThan(40);
});
