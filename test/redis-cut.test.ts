import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { publish, publishBatch, request } from './helpers/api.ts';
import { connect, type Received } from './helpers/client.ts';
import { eventually } from './helpers/eventually.ts';
import { frames } from './helpers/frames.ts';
import { hasRedis, RedisServer } from './helpers/redis.ts';
import { type NodeSettings, type RunningNode, startNode } from './helpers/running-node.ts';
import { Valve } from './helpers/valve.ts';

/** More than Redis keeps of one topic. */
const TOO_MANY = 210;

const has = (text: string) => (received: Received) => typeof received === 'string' && received.includes(text);

describe.skipIf(!hasRedis)('a node that was cut off from Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let prefix = '';
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    prefix = `test-${Math.random()}`;
  });

  const start = (settings: Partial<NodeSettings> = {}) =>
    startNode({ redisPort: redis.port, prefix, ...settings });

  /** A node that is never cut off, and one that is when its valve is shut. */
  async function two(settings: Partial<NodeSettings> = {}) {
    const valve = await Valve.open(redis.port);
    onTestFinished(() => valve.close());
    const [near, far] = await Promise.all([start(settings), start({ ...settings, redisPort: valve.port })]);
    return { near, far, valve };
  }

  /** The way is open again, and whatever was on it is lost. */
  function reopen(valve: Valve): void {
    valve.cut();
    valve.reopen();
  }

  const isDegraded = (node: RunningNode) =>
    eventually(async () => expect(await node.ready()).toMatchObject({ body: { status: 'degraded' } }));

  async function gaps(node: RunningNode): Promise<number> {
    const metrics = await (await fetch(`${node.url}/metrics`)).text();
    return Number(/^countersign_message_gaps_total (\d+)$/m.exec(metrics)?.[1]);
  }

  async function publishTooMany(node: RunningNode, channel: string): Promise<void> {
    for (let from = 0; from < TOO_MANY; from += 10) {
      const batch = Array.from({ length: 10 }, (_, i) => ({
        channel,
        name: 'noise',
        data: String(from + i),
      }));
      await publishBatch(node, batch);
    }
  }

  test('lets everybody into public channels, and brings them what is there when it is back', async () => {
    const { near, far, valve } = await two();
    await publish(near, 'cache-score', 'goal', '1:0');
    valve.shut();
    await isDegraded(far);
    const ann = await connect(far);
    expect(await ann.join('news')).toBe(frames.subscribed('news'));
    expect(await ann.join('cache-score')).toBe(frames.subscribed('cache-score'));
    expect(await ann.join('cache-empty')).toBe(frames.subscribed('cache-empty'));
    expect(await ann.join('private-news')).toContain('\\"status\\":500');
    expect((await request(near, 'GET', '/channels')).body).toEqual({ channels: {} });

    reopen(valve);
    const told = [await ann.next(), await ann.next()];
    expect(told.sort()).toEqual(
      [frames.cacheMiss('cache-empty'), frames.event('goal', 'cache-score', '1:0')].sort(),
    );
    await eventually(async () => {
      const { body } = await request(near, 'GET', '/channels');
      expect(body).toEqual({ channels: { news: {}, 'cache-score': {}, 'cache-empty': {} } });
    });
    await publish(near, 'news', 'e', 'after');
    expect(await ann.next()).toBe(frames.event('e', 'news', 'after'));
    ann.close();
    await eventually(async () =>
      expect((await request(near, 'GET', '/channels')).body).toEqual({ channels: {} }),
    );
  });

  test('whoever leaves a public channel before it is back has never been there', async () => {
    const { near, far, valve } = await two();
    valve.shut();
    await isDegraded(far);
    const [ann, bob] = await Promise.all([connect(far), connect(far)]);
    await ann.join('news');
    await bob.join('other');
    ann.unsubscribe('news');
    await ann.nothing();
    reopen(valve);
    await eventually(async () =>
      expect((await request(near, 'GET', '/channels')).body).toEqual({ channels: { other: {} } }),
    );
  });

  test('tells members anew who is there when it has missed too much', async () => {
    const { near, far, valve } = await two();
    const [ann, bob, cid] = await Promise.all([connect(near), connect(far), connect(near)]);
    await ann.join('presence-room', { user_id: 'ann' });
    await bob.join('presence-room', { user_id: 'bob' });
    valve.shut();
    await isDegraded(far);
    await cid.join('presence-room', { user_id: 'cid' });
    ann.close();
    await cid.until(has('member_removed'));
    await publishTooMany(near, 'presence-room');
    reopen(valve);

    const isList = has('subscription_succeeded');
    const list = String((await bob.until(isList)).at(-1));
    const { ids } = JSON.parse(JSON.parse(list).data).presence;
    expect(ids.sort()).toEqual(['bob', 'cid']);
    await publish(near, 'presence-room', 'end', '');
    const rest = await bob.until(has('"event":"end"'));
    // He takes his seat again, of which he may be told; nobody else comes or goes.
    expect(rest.filter(has('member_')).filter((frame) => !has('bob')(frame))).toEqual([]);
    expect(await gaps(far)).toBe(1);
  });

  test('ends what the application has ended meanwhile, on whose connections it was', async () => {
    const { near, far, valve } = await two();
    const [ann, bob, cid] = await Promise.all([connect(far), connect(far), connect(near)]);
    await ann.signIn({ id: 'ann' });
    await ann.join('private-room');
    await ann.join('presence-room', { user_id: 'ann' });
    await bob.join('presence-room', { user_id: 'bob' });
    await cid.join('presence-room', { user_id: 'cid' });
    valve.shut();
    // Its seats are taken away.
    await cid.until(has('member_removed'));
    await cid.until(has('member_removed'));
    for (const channel of ['private-room', 'presence-room']) {
      const path = `/channels/${channel}/subscriptions/remove`;
      expect(await request(near, 'POST', path, { body: { user_id: 'ann' } })).toMatchObject({ status: 200 });
    }
    reopen(valve);
    for (const channel of ['private-room', 'presence-room']) {
      const refusals = await ann.until(has('subscription_error'));
      expect(refusals.at(-1)).toContain(channel);
    }
    await eventually(async () => {
      const { body } = await request(near, 'GET', '/channels/presence-room/users');
      expect((body as { users: { id: string }[] }).users.map(({ id }) => id).sort()).toEqual(['bob', 'cid']);
      expect((await request(near, 'GET', '/channels')).body).toEqual({ channels: { 'presence-room': {} } });
    });
    expect(await ann.join('private-room')).toContain('subscription_error');
  });

  test('has everybody prove anew what he may, if it cannot know who was ended', async () => {
    const { near, far, valve } = await two();
    const [ann, bob, cid] = await Promise.all([connect(far), connect(far), connect(near)]);
    await ann.join('private-room');
    await bob.join('private-other');
    valve.shut();
    await isDegraded(far);
    const body = { socket_id: ann.socketId };
    await request(near, 'POST', '/channels/private-room/subscriptions/remove', { body });
    await cid.join('private-room');
    await publishTooMany(near, 'private-room');
    await publishTooMany(near, 'private-other');
    reopen(valve);
    expect(await ann.closed()).toMatchObject({ code: 4200 });
    await publish(near, 'private-other', 'end', '');
    await bob.until(has('"event":"end"'));
    await publish(near, 'private-room', 'end', '');
    await cid.until(has('"event":"end"'));
    expect(await bob.nothing()).toEqual([]);
  });

  test('has everybody sign in anew, if it cannot know whose session was ended', async () => {
    const { near, far, valve } = await two();
    const [ann, bob, cid] = await Promise.all([connect(far), connect(far), connect(far)]);
    await ann.signIn({ id: 'ann' });
    await bob.signIn({ id: 'bob' });
    await cid.join('news');
    valve.shut();
    await isDegraded(far);
    for (let n = 0; n < TOO_MANY; n += 1) {
      await request(near, 'POST', `/users/${n === 0 ? 'ann' : 'somebody'}/terminate_connections`);
    }
    reopen(valve);
    expect(await ann.closed()).toMatchObject({ code: 4200 });
    expect(await bob.closed()).toMatchObject({ code: 4200 });
    expect(await cid.nothing()).toEqual([]);
  });

  test('tells watchers how users are by now', async () => {
    const { near, far, valve } = await two();
    const [watcher, witness] = await Promise.all([connect(far), connect(near)]);
    for (const client of [watcher, witness]) {
      await client.signIn({ id: 'watcher', watchlist: ['ann'] });
      await client.until(has('watchlist_events'));
    }
    valve.shut();
    await isDegraded(far);
    // Each time that he comes or goes is a message.
    for (let n = 0; n < TOO_MANY / 2; n += 1) {
      const ann = await connect(near);
      await ann.signIn({ id: 'ann' });
      ann.close();
      await witness.until(has('offline'));
    }
    await (await connect(near)).signIn({ id: 'ann' });
    reopen(valve);
    const told = await watcher.until(has('online'));
    expect(told.at(-1)).toContain('ann');
    expect(await gaps(far)).toBe(1);
  });
});
