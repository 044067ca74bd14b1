/** Machines with workers on one Redis: to Redis each machine is one node. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

describe.skipIf(!hasRedis)('two machines of two workers on one Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  const settings = () => ({ config: { redis: { url: redis.url, prefix: `test-${Math.random()}` } } });

  test('are one service, also when a worker is killed', async () => {
    const shared = settings();
    const [here, there] = await Promise.all([startWorkers(shared), startWorkers(shared)]);
    const clients = [
      await here.connectTo(1),
      await here.connectTo(2),
      await there.connectTo(1),
      await there.connectTo(2),
    ];
    for (const [n, client] of clients.entries()) {
      await client.join('presence-room', { user_id: `user-${n}` });
      for (const earlier of clients.slice(0, n))
        expect(await earlier.next()).toBe(frames.memberAdded('presence-room', `user-${n}`));
    }
    await publish(there, 'presence-room', 'greeting', 'hello');
    for (const client of clients)
      expect(await client.next()).toBe(frames.event('greeting', 'presence-room', 'hello'));

    await here.killWorker(2);
    for (const client of [clients[0]!, clients[2]!, clients[3]!])
      expect(await client.next()).toBe(frames.memberRemoved('presence-room', 'user-1'));
    const ids = [0, 2, 3].map((n) => ({ id: `user-${n}` }));
    for (const group of [here, there])
      expect((await request(group, 'GET', '/channels/presence-room/users')).body).toEqual({ users: ids });
  });

  test('stay in their balancer while Redis is away, and say so', async () => {
    const group = await startWorkers(settings());
    const client = await group.connectTo(2);
    await client.join('news');
    await redis.kill();
    const ready = { status: 200, body: { status: 'ready' } };
    const degraded = { status: 200, body: { status: 'degraded', reason: expect.any(String) } };
    await eventually(async () => expect(await group.ready()).toEqual(degraded));
    expect(
      await request(group, 'POST', '/events', { body: { name: 'e', channel: 'news', data: '' } }),
    ).toMatchObject({
      status: 503,
    });
    const late = await group.connectTo(1);
    expect(await late.join('cache-late')).toBe(frames.subscribed('cache-late'));
    expect(await late.join('private-late')).toContain('pusher:subscription_error');
    await redis.start();
    expect(await late.next(15_000)).toBe(frames.cacheMiss('cache-late'));
    await eventually(async () => expect(await group.ready()).toEqual(ready));
    await publish(group, 'cache-late', 'headline', 'two');
    expect(await late.next()).toBe(frames.event('headline', 'cache-late', 'two'));
    await publish(group, 'news', 'headline', 'one');
    expect(await client.next()).toBe(frames.event('headline', 'news', 'one'));
  });
});
