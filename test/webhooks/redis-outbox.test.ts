import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectRedis } from '#server/redis/connect';
import { ReconnectingClient } from '#server/redis/reconnecting-client';
import { ScriptRunner } from '#server/redis/script-runner';
import { redisSchema } from '#server/redis/settings';
import { scripts } from '#server/webhooks/cluster/scripts';
import { RedisOutbox } from '#server/webhooks/outbox/redis/outbox';
import { BOUNDS, newHook, outboxContract, told } from '../contracts/outbox.contract.ts';
import { recordLog } from '../helpers/log.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

describe.skipIf(!hasRedis)('on Redis', () => {
  let redis: RedisServer;
  let link: ReconnectingClient;
  let commands: ScriptRunner;
  let tests = 0;

  beforeAll(async () => {
    redis = await RedisServer.start();
    link = new ReconnectingClient({
      name: 'test',
      connect: (name) => connectRedis(redisSchema.parse({ url: redis.url }), name, 2000),
      onOpen: () => {},
      log: pino({ level: 'silent' }),
    });
    await link.start();
    commands = new ScriptRunner(link, 2000);
  });
  afterAll(async () => {
    link.close();
    await redis.stop();
  });

  const newKey = () => {
    tests += 1;
    return `test-${tests}:{webhooks}`;
  };

  /** Becomes the leader, unless another term lasts, and opens the outbox. */
  async function open(key: string, term: string, now = Date.now, bounds = BOUNDS, runner = commands) {
    await runner.run(scripts.acquireLeadership, key, term, 60_000);
    const failures: unknown[] = [];
    const { log, lines } = recordLog();
    const outbox = await RedisOutbox.open({
      commands: runner,
      key,
      now,
      ...bounds,
      leadership: { id: term, isHandedOver: false, until: () => Number.POSITIVE_INFINITY },
      log,
      onFailure: (error) => failures.push(error),
    });
    return { outbox, failures, lines };
  }

  outboxContract('Redis', async (bounds) => {
    let now = 1000;
    const { outbox } = await open(newKey(), 'one', () => now, bounds);
    return {
      outbox,
      advance(milliseconds) {
        now += milliseconds;
      },
    };
  });

  test('no app fills the memory of Redis with its events, and the next leader knows how many there are', async () => {
    const key = newKey();
    const { outbox } = await open(key, 'one', Date.now, { ...BOUNDS, maxLogEvents: 100 });
    const kept = async (from = outbox) => (await from.events('app-1', 0, 1000)).events.length;
    await outbox.append(Array.from({ length: 500 }, () => told('a')));
    await expect.poll(kept).toBeLessThanOrEqual(100);
    expect(await kept()).toBeGreaterThan(90);
    const { events, lastSeq } = await outbox.events('app-1', 0, 1000);
    expect([lastSeq, Number(JSON.parse(events.at(-1) ?? '').seq)]).toEqual([500, 500]);

    await commands.run(scripts.releaseLeadership, key, 'one', 0);
    const next = await open(key, 'two', Date.now, { ...BOUNDS, maxLogEvents: 50 });
    await next.outbox.append([told('a')]);
    await expect.poll(() => kept(next.outbox)).toBeLessThanOrEqual(50);
  });

  test('the next leader has everything again', async () => {
    const key = newKey();
    const hook = newHook('hook-1');
    const member = { appId: 'app-1', channel: 'presence-a', userId: 'ann' };
    const first = await open(key, 'one');
    await first.outbox.append([
      { ...told('presence-a'), ledger: { told: member, is: 'there' } },
      told('b'),
      { ...told('c'), ledger: { told: { ...member, userId: '' }, is: 'there' } },
    ]);
    await first.outbox.append([{ ...told('c'), ledger: { told: { ...member, userId: '' }, is: 'gone' } }]);
    const delivery = (await first.outbox.deliveries.head(hook.key, 'b', 1))!;
    await first.outbox.deliveries.fail(delivery, { at: 1, status: 500, answer: 'no' }, 7);
    await first.outbox.deliveries.acknowledge(
      (await first.outbox.deliveries.head(hook.key, 'presence-a', 1))!,
    );
    await first.outbox.deliveries.head(hook.key, 'c', 2);
    await first.outbox.setState(hook.key, 'paused');
    await commands.run(scripts.releaseLeadership, key, 'one', 0);

    const { outbox } = await open(key, 'two');
    expect(outbox.told()).toEqual([member]);
    expect(outbox.stateOf(hook.key)).toBe('paused');
    expect(outbox.deliveries.counts(hook.key)).toEqual({ pending: 1, failing: 1, dead: 0 });
    expect(await outbox.deliveries.head(hook.key, 'c', 2)).toMatchObject({ n: 3, size: 2 });
    expect(await outbox.deliveries.head(hook.key, 'b', 1)).toEqual({
      ...delivery,
      state: 'failing',
      dueAt: 7,
      tries: 1,
      triedSince: 1,
      attempts: [{ at: 1, status: 500, answer: 'no' }],
    });
    await outbox.append([told('d')]);
    const { events } = await outbox.events('app-1', 0, 9);
    expect(events.map((text) => Number(JSON.parse(text).seq))).toEqual([1, 2, 3, 4, 5]);
    expect(await outbox.deliveries.head(hook.key, 'd', 1)).toMatchObject({ n: 5 });
  });

  test('a leader whose term is over can write nothing, and knows it', async () => {
    const key = newKey();
    const { outbox, failures } = await open(key, 'one');
    await outbox.append([told('a')]);
    await commands.run(scripts.releaseLeadership, key, 'one', 0);
    const second = await open(key, 'two');

    await expect(outbox.append([told('a')])).rejects.toThrow('Another node is the leader of webhooks by now');
    await expect(outbox.deliveries.head('app-1:hook-1', 'a', 1)).rejects.toThrow();
    expect(failures).toHaveLength(1);
    await second.outbox.append([told('b')]);
    const { events, lastSeq } = await second.outbox.events('app-1', 0, 9);
    expect(lastSeq).toBe(2);
    expect(events.map((text) => JSON.parse(text).channel)).toEqual(['a', 'b']);
  });

  test('a commit that fails is told to whoever asked for it, and to nobody else', async () => {
    const key = newKey();
    const { outbox } = await open(key, 'one');
    await commands.run(scripts.releaseLeadership, key, 'one', 0);
    // A promise of which nobody hears would fail the run.
    const consumed = outbox.consume(['1-0'], 0, () => outbox.append([told('a')]));
    await expect(consumed).rejects.toThrow('Another node is the leader of webhooks by now');
  });

  test('a sweep forgets old events of all apps but one that cannot be read', async () => {
    const key = newKey();
    const { outbox } = await open(key, 'one', () => 1000);
    for (const app of ['app-1', 'app-2', 'app-3']) await outbox.append([told('a', [], app)]);
    await redis.command('SET', `${key}:events:app-1`, 'not a stream');
    await expect(outbox.sweep(2000, new Set())).rejects.toThrow('WRONGTYPE');
    const kept = async (app: string) => (await outbox.events(app, 0, 9)).events.length;
    expect([await kept('app-2'), await kept('app-3')]).toEqual([0, 0]);
  });

  test('commits ten thousand changes of a burst in a few steps', async () => {
    const key = newKey();
    const { outbox } = await open(key, 'one');
    const steps = async () => {
      const stats = String(await redis.command('INFO', 'commandstats'));
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]);
    };
    const before = await steps();
    await Promise.all(
      Array.from({ length: 10_000 }, (_, n) => outbox.append([told(`channel-${n}`, [newHook(`hook-${n}`)])])),
    );
    expect(await steps()).toBeLessThan(before + 50);
    expect((await outbox.events('app-1', 9_999, 1)).lastSeq).toBe(10_000);
  });

  test('no two nodes lead at the same time, and the next leader knows how the term ended', async () => {
    const key = newKey();
    const acquire = (term: string) => commands.run(scripts.acquireLeadership, key, term, 60_000);
    expect(await Promise.all(['one', 'two', 'one'].map(acquire))).toEqual([
      ['one', 0, 0, []],
      ['one', 0, 0, []],
      ['one', 0, 0, []],
    ]);
    await commands.run(scripts.releaseLeadership, key, 'two', 1);
    expect(await acquire('two')).toEqual(['one', 0, 0, []]);
    await commands.run(scripts.releaseLeadership, key, 'one', 1);
    expect(await acquire('two')).toEqual(['two', 1, 0, []]);
    await commands.run(scripts.releaseLeadership, key, 'two', 0);
    await redis.command('XADD', `${key}:journal`, '*', 'entry', '{}');
    expect(await acquire('three')).toEqual(['three', 0, 1, []]);
  });

  test.each([
    ['a text', (key: string) => ['SET', key, 'x']],
    ['a stream that is ahead', (key: string) => ['XADD', key, '1000-0', 'at', '0', 'body', '{}']],
  ])(
    'an app whose log became %s holds back no other, and loses no entry of the journal',
    async (_, spoil) => {
      const key = newKey();
      const { outbox, failures, lines } = await open(key, 'one');
      await redis.command(...spoil(`${key}:events:app-1`));
      const entry = String(await redis.command('XADD', `${key}:journal`, '*', 'entry', '{}'));
      await redis.command('SET', `${key}:journal-bytes`, '2');
      const hooks = [newHook('hook-1')];
      await outbox.consume([entry], 2, () =>
        Promise.all([outbox.append([told('a', hooks)]), outbox.append([told('b', hooks, 'app-2')])]),
      );
      expect(failures).toEqual([]);
      expect((await outbox.events('app-1', 0, 9)).events).toHaveLength(1);
      expect((await outbox.events('app-2', 0, 9)).events).toHaveLength(1);
      expect(await redis.command('XLEN', `${key}:journal`)).toBe(0);
      expect(await redis.command('EXISTS', `${key}:events:app-1:set-aside`)).toBe(1);
      expect(lines.filter(({ level }) => level === 50)).toMatchObject([{ keys: ['events:app-1'] }]);

      await commands.run(scripts.releaseLeadership, key, 'one', 0);
      const next = await open(key, 'two');
      expect(next.outbox.deliveries.counts('app-1:hook-1')).toMatchObject({ pending: 2 });
    },
  );

  test.each(['journal', 'deliveries', 'told', 'sequences', 'clerk'])(
    'a node becomes the leader although another program has overwritten %s',
    async (name) => {
      const key = newKey();
      // Neither a stream nor a hash, nor the value of a leader, which expires.
      await redis.command('SET', `${key}:${name}`, 'x');
      const { outbox, failures } = await open(key, 'one');
      await outbox.append([told('a')]);
      expect(failures).toEqual([]);
      expect(await redis.command('GET', `${key}:clerk`)).toBe('one');
    },
  );

  test('a delivery that cannot be read keeps no other from being delivered', async () => {
    const key = newKey();
    const first = await open(key, 'one');
    await first.outbox.append([told('a'), told('b')]);
    await redis.command('HSET', `${key}:deliveries`, '1', '{');
    await commands.run(scripts.releaseLeadership, key, 'one', 0);
    const { outbox, lines } = await open(key, 'two');
    expect(outbox.deliveries.counts('app-1:hook-1')).toMatchObject({ pending: 1 });
    expect(lines).toMatchObject([{ level: 50, hash: 'deliveries', fields: ['1'], count: 1 }]);
  });

  test('without free memory a node becomes the leader, and what is delivered makes room', async () => {
    const full = await RedisServer.start();
    onTestFinished(() => full.stop());
    const own = new ReconnectingClient({
      name: 'test',
      connect: (name) => connectRedis(redisSchema.parse({ url: full.url }), name, 2000),
      onOpen: () => {},
      log: pino({ level: 'silent' }),
    });
    await own.start();
    onTestFinished(() => own.close());
    const runner = new ScriptRunner(own, 2000);
    const key = newKey();
    const { outbox } = await open(key, 'one', Date.now, BOUNDS, runner);
    await outbox.append([told('a'), told('a')]);
    await full.command('CONFIG', 'SET', 'maxmemory', '1');
    await expect(runner.run(scripts.record, key, 'writer', 1, '{}')).rejects.toThrow(/OOM/);

    await runner.run(scripts.releaseLeadership, key, 'one', 0);
    const next = await open(key, 'two', Date.now, BOUNDS, runner);
    const delivery = (await next.outbox.deliveries.head('app-1:hook-1', 'a', 1))!;
    await next.outbox.deliveries.fail(delivery, { at: 1, status: 500, answer: 'no' }, 7);
    await next.outbox.deliveries.acknowledge(delivery);
    expect(next.failures).toEqual([]);
    expect(await full.command('HLEN', `${key}:deliveries`)).toBe(1);
  });
});
