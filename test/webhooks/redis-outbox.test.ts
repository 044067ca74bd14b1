import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectRedis } from '#server/redis/connect';
import { ReconnectingClient } from '#server/redis/reconnecting-client';
import { ScriptRunner } from '#server/redis/script-runner';
import { redisSchema } from '#server/redis/settings';
import { scripts } from '#server/webhooks/cluster/scripts';
import { RedisOutbox } from '#server/webhooks/outbox/redis-outbox';
import { BOUNDS, newHook, outboxContract, told } from '../contracts/outbox.contract.ts';
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
  async function open(key: string, term: string, now = Date.now, bounds = BOUNDS) {
    await commands.run(scripts.acquireLeadership, key, term, 60_000);
    const failures: unknown[] = [];
    const outbox = await RedisOutbox.open({
      commands,
      key,
      now,
      ...bounds,
      leadership: { id: term, isHandedOver: false, until: () => Number.POSITIVE_INFINITY },
      onFailure: (error) => failures.push(error),
    });
    return { outbox, failures };
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
      ['one', 0, 0],
      ['one', 0, 0],
      ['one', 0, 0],
    ]);
    await commands.run(scripts.releaseLeadership, key, 'two', 1);
    expect(await acquire('two')).toEqual(['one', 0, 0]);
    await commands.run(scripts.releaseLeadership, key, 'one', 1);
    expect(await acquire('two')).toEqual(['two', 1, 0]);
    await commands.run(scripts.releaseLeadership, key, 'two', 0);
    await redis.command('XADD', `${key}:journal`, '*', 'entry', '{}');
    expect(await acquire('three')).toEqual(['three', 0, 1]);
  });
});
