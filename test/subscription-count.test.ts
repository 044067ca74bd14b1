import { MemoryAdapter } from '@countersign/server';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { publish } from './helpers/api.ts';
import { connect, type TestClient } from './helpers/client.ts';
import { frames } from './helpers/frames.ts';
import { APP, startServer } from './helpers/server.ts';

const counted = { app: { subscriptionCount: true } };

describe('the subscription count', () => {
  test('is told to everyone, after the acknowledgement, whenever it changes', async () => {
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

  test.each(['private-a', 'private-encrypted-a'])('is told in %s', async (channel) => {
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

  test.each(['presence-a', 'presence-cache-a'])('is not told in %s', async (channel) => {
    const server = await startServer(counted);
    const client = await connect(server);
    await client.join(channel, { user_id: 'ann' });
    expect(await client.nothing()).toEqual(channel === 'presence-a' ? [] : [frames.cacheMiss(channel)]);
  });

  test("is not told in a user's channel", async () => {
    const server = await startServer(counted);
    const client = await connect(server);
    await client.signIn({ id: 'ann' });
    await client.join('#server-to-user-ann');
    expect(await client.nothing()).toEqual([]);
  });

  test('is not told when it does not change', async () => {
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

  test('is not told when a newer one was told already', async () => {
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

  test('is not told in an app that does not ask for it', async () => {
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
    const parts = { now: () => Date.now() };
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

  test('is told at most every 5 seconds, and then as it stands', async () => {
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

  test('is told at once again after 5 seconds without a change', async () => {
    const { witness, others } = await startCrowd(2);
    await others[0]!.join('news');
    expect(await witness.next()).toBe(frames.count('news', 101));
    vi.advanceTimersByTime(5000);
    expect(await witness.nothing()).toEqual([]);
    await others[1]!.join('news');
    expect(await witness.next()).toBe(frames.count('news', 102));
  });

  test('is told with the next turn also if it has fallen to 100', async () => {
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
