import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Unavailable } from '#server/errors';
import { eventually } from '../helpers/eventually.ts';
import { RedisNode } from '../helpers/redis/node.ts';
import { NODE_TIMEOUT_SECONDS } from '../helpers/redis/node-timeout.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { runningTime } from '../helpers/running-time.ts';

const ROOM = 'app:presence-room';
const NEWS = 'app:news';

describe.skipIf(!hasRedis)('nodes on Redis', () => {
  let redis: RedisServer;
  let prefix = 'test';
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    prefix = `test-${Math.random().toString(36).slice(2)}`;
  });

  const start = () => RedisNode.start(redis, prefix);

  test('an event of one node reaches all, once and in order', async () => {
    const nodes = await Promise.all([start(), start(), start()]);
    await Promise.all(nodes.map(({ adapter }) => adapter.bus.listen(NEWS)));
    const names = Array.from({ length: 200 }, (_, i) => `e${i}`);
    await Promise.all([...names, 'end'].map((name) => nodes[0]?.publish(NEWS, name)));
    for (const node of nodes) expect(await node.heard('end')).toEqual(names);
  });

  test('nodes with another prefix are separate', async () => {
    const node = await start();
    const stranger = await RedisNode.start(redis, `${prefix}-other`);
    await stranger.join(ROOM, '1.1', 'ann');
    expect(await node.userIds(ROOM)).toEqual([]);
  });

  test('presence is one list, and a user of two nodes is one member', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    await b.adapter.bus.listen(ROOM);
    expect(await a.join(ROOM, '1.1', 'ann')).toMatchObject({ occupied: true, memberAdded: true });
    expect(await b.join(ROOM, '2.2', 'ann')).toMatchObject({ occupied: false, memberAdded: false });
    expect(await b.join(ROOM, '3.3', 'bob')).toMatchObject({ subscriptions: 3, memberAdded: true });
    await a.adapter.roster.leave(ROOM, '1.1');
    await b.adapter.roster.leave(ROOM, '2.2');
    expect(await a.userIds(ROOM)).toEqual(['bob']);
    expect(a.happenings.map(({ kind }) => kind)).toEqual(['occupied', 'memberAdded']);
    expect(b.happenings.map(({ kind }) => kind)).toEqual(['memberAdded', 'memberRemoved']);
  });

  test('versions grow even in a topic that was quiet for long', async () => {
    const node = await start();
    const joined = await node.join(ROOM, '1.1', 'ann');
    await redis.age(24 * 3600 * 1000);
    const quiet = await node.adapter.roster.counts(ROOM);
    if (typeof joined === 'string') throw new Error('full');
    expect(quiet).toEqual({ subscriptions: 1, members: 1, version: joined.version });
    const left = await node.adapter.roster.leave(ROOM, '1.1');
    await redis.age(24 * 3600 * 1000);
    const later = await node.join(ROOM, '2.2', 'bob');
    if (typeof later === 'string') throw new Error('full');
    expect(left?.version).toBeGreaterThan(joined.version);
    expect(later.version).toBeGreaterThan(left?.version ?? 0);
  });

  test('the seats of a dead node are removed in time, and one other node announces it', async () => {
    const [dead, b, c] = await Promise.all([start(), start(), start()]);
    await Promise.all([b.adapter.bus.listen(ROOM), c.adapter.bus.listen(ROOM)]);
    await dead.join(ROOM, '1.1', 'ann');
    await dead.join(NEWS, '1.1');
    await dead.adapter.counters.hold('quota', 1);
    await b.join(ROOM, '2.2', 'bob');
    const died = runningTime();
    dead.valve.shut();

    expect(await b.told('memberRemoved')).toMatchObject({ userId: 'ann' });
    expect(runningTime() - died).toBeLessThan(NODE_TIMEOUT_SECONDS * 1000);
    expect(await c.told('memberRemoved')).toMatchObject({ userId: 'ann' });
    await eventually(async () => expect(await c.adapter.roster.channels('app', '')).toHaveLength(1));
    await eventually(async () => expect(await b.adapter.counters.hold('quota', 1)).toBe(true));
    const told = [...b.happenings, ...c.happenings].filter(({ kind }) => kind !== 'memberAdded');
    expect(told).toHaveLength(2);
    expect(told).toContainEqual({
      kind: 'memberRemoved',
      topic: ROOM,
      userId: 'ann',
      socketId: '1.1',
      reason: 'disconnected',
    });
    expect(told).toContainEqual({ kind: 'vacated', topic: NEWS, socketId: '1.1', reason: 'disconnected' });
  });

  test('a node that comes back after it was cleaned up takes its remaining seats again', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    await b.adapter.bus.listen(ROOM);
    await a.join(ROOM, '1.1', 'ann');
    await a.join(ROOM, '2.2', 'bob');
    a.valve.shut();
    await eventually(async () => expect(await b.userIds(ROOM)).toEqual([]));
    // A client leaves, and its leave does not get through.
    await expect(a.adapter.roster.leave(ROOM, '2.2')).rejects.toThrow(Unavailable);
    a.valve.reopen();
    await eventually(async () => expect(await b.userIds(ROOM)).toEqual(['ann']));
    await a.adapter.roster.leave(ROOM, '1.1');
    expect(await b.adapter.roster.counts(ROOM)).toMatchObject({ subscriptions: 0, members: 0 });
    await b.publish(ROOM, 'end');
    await b.heard('end');
    const changes = b.received.flatMap((message) =>
      message.kind === 'memberAdded'
        ? [`+${message.member.userId}`]
        : message.kind === 'memberRemoved'
          ? [`-${message.userId}`]
          : [],
    );
    expect(changes.slice(0, 2)).toEqual(['+ann', '+bob']);
    expect(changes.slice(2, 4).sort()).toEqual(['-ann', '-bob']);
    expect(changes.slice(4)).toEqual(['+ann', '-ann']);
  });

  test('events published while a connection was down are delivered later, once and in order', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    await a.adapter.bus.listen(NEWS);
    await b.publish(NEWS, 'before');
    await a.heard('before');
    a.valve.shut();
    const names = Array.from({ length: 100 }, (_, i) => `e${i}`);
    for (const name of names) await b.publish(NEWS, name);
    a.valve.cut();
    a.valve.reopen();
    await b.publish(NEWS, 'end');
    expect(await a.heard('end')).toEqual(['before', ...names]);
    expect(a.gaps).toHaveLength(0);
  });

  test('lost messages are counted, and the others arrive', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    await a.adapter.bus.listen(NEWS);
    a.valve.shut();
    for (let i = 0; i < 20; i += 1) await b.publish(NEWS, `e${i}`);
    await redis.forgetMessages(prefix);
    a.valve.cut();
    a.valve.reopen();
    await b.publish(NEWS, 'end');
    expect(await a.heard('end')).toEqual(['e15', 'e16', 'e17', 'e18', 'e19']);
    expect(a.gaps).toHaveLength(1);
  });

  test('a call that was answered as unavailable does not take effect later', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    await b.adapter.bus.listen(NEWS);
    a.valve.shut();
    await expect(a.publish(NEWS, 'late')).rejects.toThrow(Unavailable);
    await expect(a.join(NEWS, '1.1')).rejects.toThrow(Unavailable);
    a.valve.reopen();
    await eventually(() => a.publish(NEWS, 'end'));
    expect(await b.heard('end')).toEqual([]);
    expect(await b.adapter.roster.counts(NEWS)).toMatchObject({ subscriptions: 0 });
  });

  test('nodes survive a Redis that is killed and comes back empty', async () => {
    const own = await RedisServer.start();
    const [a, b] = await Promise.all([RedisNode.start(own, prefix), RedisNode.start(own, prefix)]);
    await Promise.all([a.adapter.bus.listen(ROOM), b.adapter.bus.listen(ROOM)]);
    await a.join(ROOM, '1.1', 'ann');
    await b.join(ROOM, '2.2', 'bob');
    await a.adapter.counters.hold('quota', 2);
    await own.kill();
    await eventually(() => expect(a.adapter.fault).toBeTypeOf('string'));
    await expect(a.publish(ROOM, 'e')).rejects.toThrow(Unavailable);
    await expect(a.join(ROOM, '3.3', 'cid')).rejects.toThrow(Unavailable);
    expect(await a.adapter.counters.hold('quota', 2)).toBe(true);
    expect(await a.adapter.counters.hold('quota', 2)).toBe(false);

    await own.start();
    await eventually(async () => expect(await a.userIds(ROOM)).toEqual(['ann', 'bob']));
    await eventually(() => expect(b.adapter.fault).toBeUndefined());
    await eventually(async () => expect(await b.adapter.counters.hold('quota', 2)).toBe(false));
    await b.publish(ROOM, 'again');
    await a.heard('again');
    expect([...(await b.adapter.roster.channels('app', '')).keys()]).toEqual(['presence-room']);
    await Promise.all([a.adapter.close(), b.adapter.close()]);
    await own.stop();
  });
});
