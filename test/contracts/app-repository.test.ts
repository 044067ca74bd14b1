import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Store } from '#server/store/store';
import { newFolder } from '../helpers/folder.ts';
import { RedisNode } from '../helpers/redis/node.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { appRepositoryContract } from './app-repository.contract.ts';

const BOUNDS = { maxPending: 10, maxLogEvents: 10, maxBytes: 1_000_000, maxTotalBytes: 1_000_000 };

async function openStore(directory: string): Promise<Store> {
  const store = await Store.open({
    directory,
    bounds: BOUNDS,
    now: Date.now,
    log: pino({ level: 'silent' }),
  });
  let isClosed = false;
  const close = store.close.bind(store);
  store.close = async () => {
    if (!isClosed) await close();
    isClosed = true;
  };
  onTestFinished(() => store.close());
  return store;
}

appRepositoryContract('a data file', async () => {
  const folder = newFolder();
  const store = await openStore(folder);
  return {
    first: store.repository,
    again: async () => {
      await store.close();
      return (await openStore(folder)).repository;
    },
  };
});

describe.skipIf(!hasRedis)('on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  const open = async (prefix: string) => (await RedisNode.start(redis, prefix)).adapter.apps;
  const newPrefix = () => `test-${Math.random()}`;
  const change = (base: number, id: string, sealed: string | null = id) => ({
    base,
    documents: [{ id, sealed }],
    entries: [],
    now: 1000,
  });

  appRepositoryContract('Redis', async () => {
    const prefix = newPrefix();
    return { first: await open(prefix), again: () => open(prefix) };
  });

  test('of many who write for one version only one does', async () => {
    const prefix = newPrefix();
    const nodes = await Promise.all([1, 2, 3].map(() => open(prefix)));
    const written = await Promise.all(
      Array.from({ length: 30 }, (_, at) => nodes[at % 3]!.write(change(0, `app:${at}`))),
    );
    expect(written.filter((version) => version !== undefined)).toHaveLength(1);
    expect((await nodes[0]!.changes(0)).documents).toHaveLength(1);
  });

  test('who follows it is told, and reads what has changed only', async () => {
    const prefix = newPrefix();
    const [one, two] = [await open(prefix), await open(prefix)];
    const first = (await one.write(change(0, 'app:a')))!;
    const { version } = await two.changes(0);
    expect(version).toBe(first);
    const told = new Promise<void>((resolve) => {
      let calls = 0;
      // Once for what may have changed before, once for what changes now.
      two.follow(() => (++calls === 2 ? resolve() : undefined));
    });
    await two.changes(version);
    const second = (await one.write(change(first, 'app:b')))!;
    const third = (await one.write(change(second, 'app:a', null)))!;
    await told;
    expect(two.isCurrent).toBe(false);
    expect(await two.changes(version)).toEqual({
      version: third,
      isComplete: false,
      documents: [
        { id: 'app:a', sealed: null },
        { id: 'app:b', sealed: 'app:b' },
      ],
    });
    // News of a change may come after the answer that had it already.
    const readAgain = async () => {
      await two.changes(third);
      return two.isCurrent;
    };
    await expect.poll(readAgain).toBe(true);
  });

  test('a store that has lost everything gets it back, from the node that knows most', async () => {
    const prefix = newPrefix();
    const [one, two] = [await open(prefix), await open(prefix)];
    const first = (await one.write(change(0, 'app:a')))!;
    await two.changes(0);
    const second = (await one.write(change(first, 'app:b')))!;
    await redis.command('FLUSHALL');
    // Who knows less comes first.
    expect(await two.changes(first)).toMatchObject({ version: first });
    expect((await (await open(prefix)).changes(0)).documents.map(({ id }) => id)).toEqual(['app:a']);
    await one.changes(second);
    expect(await two.changes(first)).toMatchObject({ version: second });
    expect((await (await open(prefix)).changes(0)).documents.map(({ id }) => id)).toEqual(['app:a', 'app:b']);
    expect(await one.write(change(second, 'app:c'))).toBeGreaterThan(second);
  });

  test('as many entries and answers are kept as there may be', async () => {
    const prefix = newPrefix();
    const one = await open(prefix);
    let version = 0;
    const entries = Array.from({ length: 6000 }, (_, at) => JSON.stringify(at));
    for (let round = 0; round < 2; round += 1) {
      version = (await one.write({ base: version, documents: [], entries, now: 1000 }))!;
    }
    const root = `${prefix}:topic:{:apps}`;
    expect(await redis.command('ZCARD', `${root}:entries`)).toBe(10_000);
    await redis.command(
      'EVAL',
      `for at = 1, 10000 do
        redis.call('HSET', KEYS[1], at, 'sealed')
        redis.call('ZADD', KEYS[2], 5000 + at, at)
      end`,
      '2',
      `${root}:answers`,
      `${root}:answer-ends`,
    );
    const answer = { key: 'newest', sealed: 'sealed', until: 90_000 };
    await one.write({ base: version, documents: [], entries: [], answer, now: 1000 });
    expect(await redis.command('HLEN', `${root}:answers`)).toBe(10_000);
    expect(await one.answer('1', 1000)).toBeUndefined();
    expect(await one.answer('2', 1000)).toBe('sealed');
    expect(await one.answer('newest', 1000)).toBe('sealed');
  });
});
