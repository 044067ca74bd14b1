import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Store } from '#server/store/store';
import { peakNames, sumNames } from '#server/usage/figures';
import { MemoryUsage } from '#server/usage/memory-store';
import { startOf } from '#server/usage/period';
import { RedisUsage } from '#server/usage/redis-store';
import { newFolder } from '../helpers/folder.ts';
import { RedisNode } from '../helpers/redis/node.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { usageStoreContract } from './usage-store.contract.ts';

const BOUNDS = { maxPending: 10, maxLogEvents: 10, maxBytes: 1_000_000, maxTotalBytes: 1_000_000 };

usageStoreContract('memory', async () => new MemoryUsage(() => {}));

usageStoreContract('a data file', async () => {
  const log = pino({ level: 'silent' });
  const store = await Store.open({ directory: newFolder(), bounds: BOUNDS, now: Date.now, log });
  onTestFinished(() => store.close());
  return store.usage;
});

describe.skipIf(!hasRedis)('on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  const open = async (prefix = `test-${Math.random()}`) => {
    const { adapter } = await RedisNode.start(redis, prefix);
    return new RedisUsage(adapter.commands, prefix, Date.now);
  };

  usageStoreContract('Redis', open);

  test('one node has the turn to push, and another one changes nothing', async () => {
    const prefix = `test-${Math.random()}`;
    const [one, two] = [await open(prefix), await open(prefix)];
    const begin = { from: 60_000, app: '' };
    expect(await one.takePush('one', begin)).toEqual(begin);
    expect(await two.takePush('two', begin)).toBeUndefined();
    await two.pushed('two', { from: 120_000, app: 'a' });
    expect(await one.takePush('one', begin)).toEqual(begin);
  });

  test('the peaks are those of all nodes together', async () => {
    const prefix = `test-${Math.random()}`;
    const [one, two] = [await open(prefix), await open(prefix)];
    const change = (connections: number, members: number) => ({
      app: 'a',
      minute: startOf('minute', Date.now()),
      sums: sumNames.map(() => 0),
      peaks: [connections, members, 10],
      connections,
      members,
      isIncomplete: false,
    });
    await one.add({ node: 'one', seq: 1, changes: [change(3, 1)], isLast: false });
    await two.add({ node: 'two', seq: 1, changes: [change(4, 0)], isLast: false });
    const peaks = async () =>
      (await one.rows({ unit: 'day', from: 0, to: Date.now(), limit: 10 })).map((row) => row.peaks);
    expect(await peaks()).toEqual([[7, 1, 10]]);
    // Who has ended counts no more.
    await one.add({ node: 'one', seq: 2, changes: [], isLast: true });
    await two.add({ node: 'two', seq: 2, changes: [change(5, 0)], isLast: false });
    expect(await peaks()).toEqual([[7, 1, 10]]);
  });
});

test('memory keeps so many rows, and drops the oldest minutes first', async () => {
  let bounds = 0;
  const store = new MemoryUsage(() => {
    bounds += 1;
  }, 100);
  const today = startOf('day', Date.now());
  for (let minute = 0; minute < 200; minute += 1) {
    const change = {
      app: 'a',
      minute: today + minute * 60_000,
      sums: sumNames.map(() => 1),
      peaks: peakNames.map(() => 1),
      connections: 0,
      members: 0,
      isIncomplete: false,
    };
    await store.add({ node: 'node', seq: minute + 1, changes: [change], isLast: false });
  }
  expect(bounds).toBeGreaterThan(0);
  const all = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1000 };
  const minutes = await store.rows({ ...all, unit: 'minute' });
  expect(minutes.length).toBeLessThan(100);
  expect(minutes.at(-1)?.from).toBe(today + 199 * 60_000);
  expect((await store.rows({ ...all, unit: 'day' }))[0]?.sums[0]).toBe(200);
});
