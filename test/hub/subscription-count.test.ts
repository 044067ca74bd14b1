import { MemoryAdapter } from '@countersign/server';
import { pino } from 'pino';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Message } from '#server/adapter/adapter';
import { NO_JOURNAL } from '#server/adapter/journal';
import { NOTHING_DONE } from '#server/adapter/questions';
import { topicOf } from '#server/adapter/topic';
import { FileAppStore } from '#server/apps/file-store';
import { CountAnnouncer } from '#server/hub/subscription-counts';
import { publish } from '../helpers/api.ts';
import { type ReceivedEvent, startReceiver } from '../helpers/brokers/receiver.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type Received, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

/** Milliseconds between two counts of a big channel. */
const INTERVAL_MS = 5000;

const counted = { app: { subscriptionCount: true } };

describe('the subscription count', () => {
  test('is announced to all subscribers, after the acknowledgement, whenever it changes', async () => {
    const server = await startServer(counted);
    const [first, second] = [await connect(server), await connect(server)];
    expect(await first.join('news')).toBe(frames.subscribed('news'));
    expect(await first.next()).toBe(frames.count('news', 1));
    expect(await second.join('news')).toBe(frames.subscribed('news'));
    for (const client of [first, second]) expect(await client.next()).toBe(frames.count('news', 2));
    first.unsubscribe('news');
    expect(await second.next()).toBe(frames.count('news', 1));
    expect(await first.nothing()).toEqual([]);
  });

  test('falls when a connection is cut off', async () => {
    const server = await startServer(counted);
    const [first, second] = [await connect(server), await connect(server)];
    for (const client of [first, second]) await client.join('news');
    expect(await first.nothing()).toEqual([frames.count('news', 1), frames.count('news', 2)]);
    second.close();
    expect(await first.next()).toBe(frames.count('news', 1));
  });

  test.each(['private-a', 'private-encrypted-a'])('is announced in %s', async (channel) => {
    const server = await startServer(counted);
    const client = await connect(server);
    expect(await client.join(channel)).toBe(frames.subscribed(channel));
    expect(await client.next()).toBe(frames.count(channel, 1));
  });

  test('comes after what a cache channel has kept', async () => {
    const server = await startServer(counted);
    const [first, second] = [await connect(server), await connect(server)];
    await first.join('cache-a');
    expect(await first.nothing()).toEqual([frames.cacheMiss('cache-a'), frames.count('cache-a', 1)]);
    await publish(server, 'cache-a', 'e', '1');
    await second.join('cache-a');
    expect(await second.nothing()).toEqual([frames.event('e', 'cache-a', '1'), frames.count('cache-a', 2)]);
  });

  test('counts connections, not users', async () => {
    const server = await startServer(counted);
    const [first, second] = [await connect(server), await connect(server)];
    for (const client of [first, second]) await client.signIn({ id: 'ann' });
    for (const client of [first, second]) await client.join('private-a', { user_id: 'ann' });
    expect(await second.next()).toBe(frames.count('private-a', 2));
  });

  test.each(['presence-a', 'presence-cache-a'])('is not announced in %s', async (channel) => {
    const server = await startServer(counted);
    const client = await connect(server);
    await client.join(channel, { user_id: 'ann' });
    expect(await client.nothing()).toEqual(channel === 'presence-a' ? [] : [frames.cacheMiss(channel)]);
  });

  test("is not announced in a user's channel", async () => {
    const server = await startServer(counted);
    const client = await connect(server);
    await client.signIn({ id: 'ann' });
    await client.join('#server-to-user-ann');
    expect(await client.nothing()).toEqual([]);
  });

  test('is not announced when it does not change', async () => {
    const server = await startServer(counted);
    const client = await connect(server);
    await client.join('private-a');
    expect(await client.next()).toBe(frames.count('private-a', 1));
    expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
    client.subscribe('private-a', { auth: 'key-1:no' });
    await client.next();
    client.unsubscribe('private-b');
    expect(await client.nothing()).toEqual([]);
  });

  test('is not announced after a newer one', async () => {
    const adapter = new MemoryAdapter();
    const client = await connect(await startServer({ parts: { adapter } }));
    await client.join('news');
    for (const [count, version] of [
      [3, 1003],
      [2, 1002],
      [4, 1004],
    ] as const) {
      await adapter.bus.publishCount(`${APP.id}:news`, count, version);
    }
    expect(await client.nothing()).toEqual([frames.count('news', 3), frames.count('news', 4)]);
  });

  test('is not announced in an app without it', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    expect(await client.nothing()).toEqual([]);
  });
});

describe('the subscription count above 100', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A broker with 100 subscribers in one channel, and more clients that are not in it yet. */
  async function startCrowd(more: number) {
    // Without the pause between big flushes, the timer of the count is the only one.
    const parts = { monotonic: () => Date.now() };
    const server = await startServer({ ...counted, config: { flushGapMaxMs: 0 }, parts });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const open = (count: number) => Promise.all(Array.from({ length: count }, () => connect(server)));
    const [crowd, others] = [await open(100), await open(more)];
    for (const client of crowd) await client.join('news');
    const witness = crowd[0]!;
    for (let count = 1; count <= 100; count += 1) {
      expect(await witness.next()).toBe(frames.count('news', count));
    }
    return { witness, others, crowd };
  }

  async function leave(client: TestClient): Promise<void> {
    client.unsubscribe('news');
    await client.nothing();
  }

  test('is announced at most every 5 seconds, with the present value', async () => {
    const { witness, others } = await startCrowd(3);
    const [first, second, third] = others;
    await first!.join('news');
    expect(await witness.next()).toBe(frames.count('news', 101));
    await second!.join('news');
    await third!.join('news');
    vi.advanceTimersByTime(4999);
    expect(await witness.nothing()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(await witness.nothing()).toEqual([frames.count('news', 103)]);
    await leave(third!);
    vi.advanceTimersByTime(4999);
    expect(await witness.nothing()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(await witness.nothing()).toEqual([frames.count('news', 102)]);
  });

  test('is announced at once again after 5 seconds without a change', async () => {
    const { witness, others } = await startCrowd(2);
    await others[0]!.join('news');
    expect(await witness.next()).toBe(frames.count('news', 101));
    vi.advanceTimersByTime(5000);
    expect(await witness.nothing()).toEqual([]);
    await others[1]!.join('news');
    expect(await witness.next()).toBe(frames.count('news', 102));
  });

  test('is announced with the next turn also if it has fallen to 100', async () => {
    const { witness, others, crowd } = await startCrowd(1);
    await others[0]!.join('news');
    expect(await witness.next()).toBe(frames.count('news', 101));
    await leave(others[0]!);
    await leave(crowd[1]!);
    vi.advanceTimersByTime(5000);
    expect(await witness.nothing()).toEqual([frames.count('news', 99)]);
    await leave(crowd[2]!);
    expect(await witness.next()).toBe(frames.count('news', 98));
  });
});

describe('the subscription count above 100, of several nodes', () => {
  const topic = topicOf(APP.id, 'news');

  afterEach(() => {
    vi.useRealTimers();
  });

  /** Three nodes that share an adapter, and a channel with 100 subscribers. */
  async function startNodes() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const start = Date.now();
    const adapter = new MemoryAdapter({ monotonic: () => Date.now() });
    const log = pino({ level: 'silent' });
    const nodes = [1, 2, 3].map(() => new CountAnnouncer(adapter, new FileAppStore([]), log));
    onTestFinished(() => {
      for (const node of nodes) node.close();
      return adapter.close();
    });
    /** The announced counts, each with its milliseconds since the start. */
    const told: [count: number, afterMs: number][] = [];
    const deliver = (message: Message) => {
      if (message.kind !== 'count') return;
      told.push([message.count, Date.now() - start]);
      for (const node of nodes) node.announced(message);
    };
    const listener = {
      deliver,
      obey: () => {},
      missed: async () => {},
      answer: async () => NOTHING_DONE,
      proveAgain: () => {},
      lapsed: () => {},
    };
    adapter.attach(listener, NO_JOURNAL);
    let seats = 0;
    const take = async () => {
      seats += 1;
      const joined = await adapter.roster.join(topic, {
        socketId: `1.${seats}`,
        since: 0,
        client: '',
        address: '',
      });
      if (typeof joined === 'string') throw new Error(joined);
      return joined;
    };
    for (let n = 0; n < 100; n += 1) await take();
    const joinAt = async (node: CountAnnouncer) => {
      const { subscriptions, version } = await take();
      node.changed(topic, subscriptions, version);
      await vi.advanceTimersByTimeAsync(0);
    };
    const [a, b, c] = nodes as [CountAnnouncer, CountAnnouncer, CountAnnouncer];
    return { adapter, told, joinAt, a, b, c };
  }

  test('is announced by one of them every 5 seconds, with the present value', async () => {
    const { told, joinAt, a, b, c } = await startNodes();
    await joinAt(a);
    for (const node of [b, c, a, b]) await joinAt(node);
    await vi.advanceTimersByTimeAsync(6000);
    await joinAt(c);
    await vi.advanceTimersByTimeAsync(60_000);
    await joinAt(b);
    expect(told).toEqual([
      [101, 0],
      [105, 5000],
      [106, 10_000],
      [107, 66_000],
    ]);
  });

  test('is announced by the others when one ends', async () => {
    const { told, joinAt, a, b, c } = await startNodes();
    for (const node of [a, b, c]) await joinAt(node);
    a.close();
    b.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual([
      [101, 0],
      [103, 5000],
    ]);
  });

  test('is announced in the next interval by the others when one ends in its turn', async () => {
    const { adapter, told, joinAt, a, b } = await startNodes();
    setTimeout(() => void adapter.counters.hit(`subscription_count:${topic}`, INTERVAL_MS), INTERVAL_MS);
    for (const node of [a, b]) await joinAt(node);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual([
      [101, 0],
      [102, 10_000],
    ]);
  });

  test('is announced in the next interval after a failure', async () => {
    const { adapter, told, joinAt, a } = await startNodes();
    vi.spyOn(adapter.bus, 'publishCount').mockRejectedValueOnce(new Error('out of reach'));
    await joinAt(a);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual([[101, 5000]]);
  });

  test('is announced at once again when it has fallen to 100', async () => {
    const { adapter, told, joinAt, a, b } = await startNodes();
    await joinAt(a);
    for (const [node, socketId] of [
      [b, '1.1'],
      [a, '1.2'],
      [b, '1.3'],
    ] as const) {
      const { subscriptions, version } = (await adapter.roster.leave(topic, socketId))!;
      node.changed(topic, subscriptions, version);
    }
    await vi.advanceTimersByTimeAsync(5000);
    await joinAt(b);
    expect(told).toEqual([
      [101, 0],
      [98, 5000],
      [99, 5000],
    ]);
  });

  test('costs nothing of what they share while it rests', async () => {
    const { adapter, joinAt, a, b, c } = await startNodes();
    const hit = vi.spyOn(adapter.counters, 'hit');
    const counts = vi.spyOn(adapter.roster, 'counts');
    for (let n = 0; n < 20; n += 1) for (const node of [a, b, c]) await joinAt(node);
    expect(hit).toHaveBeenCalledOnce();
    expect(counts).not.toHaveBeenCalled();
  });
});

describe('the subscription count above 100, while a crowd comes and goes', () => {
  type Settings = { readonly app: Readonly<Record<string, unknown>> };

  async function startOnRedis(settings: Settings) {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const start = () => startServer({ ...settings, config: { redis: { url: redis.url } } });
    return [await start(), await start()];
  }

  test.each([
    ['a broker', async (settings: Settings) => [await startServer(settings)]],
    ['two workers', async (settings: Settings) => [await startWorkers(settings)]],
    ...(hasRedis ? [['two brokers on Redis', startOnRedis] as const] : []),
  ] as const)(
    'of %s is told to all and to backends every 5 seconds, and in the end',
    { timeout: 60_000 },
    async (_, start) => {
      const receiver = await startReceiver();
      const webhooks = [{ url: receiver.url(), events: ['subscription_count'] }];
      const brokers = await start({ app: { subscriptionCount: true, webhooks } });
      const crowd = await Promise.all(
        Array.from({ length: 130 }, (_, n) => connect(brokers[n % brokers.length]!)),
      );
      await Promise.all(crowd.map((client) => client.join('news')));
      const witness = crowd[0]!;
      const received: Received[] = [];
      const receiveCount = async (count: number) => {
        do received.push(await witness.next(3 * INTERVAL_MS));
        while (received.at(-1) !== frames.count('news', count));
      };
      await receiveCount(130);
      for (const client of crowd.slice(-10)) client.unsubscribe('news');
      await receiveCount(120);

      const events: ReceivedEvent[] = [];
      while (events.at(-1)?.['subscription_count'] !== 120) events.push(...(await receiver.next()).events);
      const big = events.filter(({ subscription_count }) => Number(subscription_count) > 100);
      const bigFrames = big.map(({ subscription_count }) => frames.count('news', Number(subscription_count)));
      expect(received.filter((frame) => bigFrames.includes(String(frame)))).toEqual(bigFrames);
      // The time that a busy machine takes from its turn to the announcement.
      const toleranceMs = 1000;
      for (const [n, { at }] of big.slice(1).entries())
        expect(at - big[n]!.at).toBeGreaterThan(INTERVAL_MS - toleranceMs);
    },
  );
});
