import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { publish, publishBatch, request } from '../helpers/api.ts';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { type NodeSettings, type RunningNode, startNode } from '../helpers/brokers/running-node.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { connect, type Received } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

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

  /** A node that is never cut off, and one that is cut off while its valve is shut. */
  async function two(settings: Partial<NodeSettings> = {}) {
    const valve = await Valve.open(redis.port);
    onTestFinished(() => valve.close());
    const [near, far] = await Promise.all([start(settings), start({ ...settings, redisPort: valve.port })]);
    return { near, far, valve };
  }

  /** Opens the way again; what was on it is lost. */
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

  /** Publishes more in a channel than Redis logs. */
  async function publishTooMany(node: RunningNode, channel: string): Promise<void> {
    const batch = Array.from({ length: 10 }, (_, i) => ({ channel, name: 'noise', data: String(i) }));
    await publishBatch(node, batch);
    await redis.forgetMessages(prefix);
  }

  test('accepts subscriptions to public channels, and resyncs them when it is back', async () => {
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

  test('a client that leaves a public channel before it is back was never counted there', async () => {
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

  test('sends members the whole list when it has missed too much', async () => {
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
    // The member takes its seat again, of which it may be told; no other member joins or leaves.
    expect(rest.filter(has('member_')).filter((frame) => !has('bob')(frame))).toEqual([]);
    expect(await gaps(far)).toBe(1);
  });

  test('ends the subscriptions of its connections that the application ended meanwhile', async () => {
    const { near, far, valve } = await two();
    const [ann, bob, cid] = await Promise.all([connect(far), connect(far), connect(near)]);
    await ann.signIn({ id: 'ann' });
    await ann.join('private-room');
    await ann.join('presence-room', { user_id: 'ann' });
    await bob.join('presence-room', { user_id: 'bob' });
    await cid.join('presence-room', { user_id: 'cid' });
    valve.shut();
    // Its seats are removed.
    await cid.until(has('member_removed'));
    await cid.until(has('member_removed'));
    for (const channel of ['private-room', 'presence-room']) {
      const path = `/channels/${channel}/subscriptions/remove`;
      expect(await request(near, 'POST', path, { body: { user_id: 'ann' } })).toMatchObject({ status: 200 });
    }
    reopen(valve);
    const refusals = [];
    for (let n = 0; n < 2; n += 1) refusals.push((await ann.until(has('subscription_error'))).at(-1));
    for (const channel of ['private-room', 'presence-room'])
      expect(refusals).toContainEqual(expect.stringContaining(channel));
    await eventually(async () => {
      const { body } = await request(near, 'GET', '/channels/presence-room/users');
      expect((body as { users: { id: string }[] }).users.map(({ id }) => id).sort()).toEqual(['bob', 'cid']);
      expect((await request(near, 'GET', '/channels')).body).toEqual({ channels: { 'presence-room': {} } });
    });
    expect(await ann.join('private-room')).toContain('subscription_error');
  });

  test('ends what was revoked before it delivers anything, also if messages of the channel are lost', async () => {
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
    expect(await ann.next()).toContain('grant_revoked');
    await publish(near, 'private-other', 'end', '');
    await bob.until(has('"event":"end"'));
    await publish(near, 'private-room', 'end', '');
    await cid.until(has('"event":"end"'));
    expect(await bob.nothing()).toEqual([]);
  });

  test('requires new proofs from all who hold a right if it cannot know what was revoked', async () => {
    const { near, far, valve } = await two();
    const [ann, bob, cid] = await Promise.all([connect(far), connect(far), connect(far)]);
    await ann.signIn({ id: 'ann' });
    await bob.signIn({ id: 'bob' });
    await cid.join('news');
    valve.shut();
    await isDegraded(far);
    for (const user of ['ann', ...Array.from({ length: 10 }, () => 'somebody')]) {
      await request(near, 'POST', `/users/${user}/terminate_connections`);
    }
    await redis.forgetMessages(prefix);
    reopen(valve);
    expect(await ann.closed()).toMatchObject({ code: 4200 });
    expect(await bob.closed()).toMatchObject({ code: 4200 });
    expect(await cid.nothing()).toEqual([]);
  });

  test('tells watchers the present state of users', async () => {
    const { near, far, valve } = await two();
    const [watcher, witness] = await Promise.all([connect(far), connect(near)]);
    for (const client of [watcher, witness]) {
      await client.signIn({ id: 'watcher', watchlist: ['ann'] });
      await client.until(has('watchlist_events'));
    }
    valve.shut();
    await isDegraded(far);
    // Each sign-in and each disconnection is a message.
    for (let n = 0; n < 5; n += 1) {
      const ann = await connect(near);
      await ann.signIn({ id: 'ann' });
      ann.close();
      await witness.until(has('offline'));
    }
    await (await connect(near)).signIn({ id: 'ann' });
    await redis.forgetMessages(prefix);
    reopen(valve);
    const told = await watcher.until(has('online'));
    expect(told.at(-1)).toContain('ann');
    expect(await gaps(far)).toBe(1);
  });

  test('asks for no retry of a publish that may have been made; the SDK repeats it under its key', async () => {
    const { near, far, valve } = await two();
    const ann = await connect(near);
    await ann.join('news');
    // Redis must know the script, or the first lost answer is that it does not.
    await publish(far, 'news', 'first', '');
    expect(await ann.next()).toBe(frames.event('first', 'news', ''));
    valve.withhold();
    const body = { name: 'e', channel: 'news', data: '1' };
    const repeated = countersignFor(far, { maxRetries: 10, timeout: 30_000 }).trigger('news', 'e', 2);
    const answer = await request(far, 'POST', '/events', { body });
    const inDoubt = expect.stringContaining('may have been done');
    expect(answer).toMatchObject({ status: 503, body: { error: inDoubt } });
    expect(answer.headers.get('retry-after')).toBeNull();
    reopen(valve);
    await repeated;
    await eventually(() => publish(far, 'news', 'last', ''));
    const events = await ann.until(has('"event":"last"'));
    expect(events.slice(0, -1).sort()).toEqual([
      frames.event('e', 'news', '1'),
      frames.event('e', 'news', '2'),
    ]);
  });

  test('asks for a retry of a publish that was not made', async () => {
    const { far, valve } = await two();
    valve.shut();
    await eventually(async () => {
      const body = { name: 'e', channel: 'news', data: '1' };
      const answer = await request(far, 'POST', '/events', { body });
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
    });
  });
});

describe.skipIf(!hasRedis)('a Redis that was away', { timeout: 60_000 }, () => {
  const withRedis = async (run: (redis: RedisServer) => Promise<void>) => {
    const redis = await RedisServer.start(['--appendonly', 'yes']);
    try {
      await run(redis);
    } finally {
      await redis.stop();
    }
  };

  test('for longer than a lease removes no member', () =>
    withRedis(async (redis) => {
      const nodes = await Promise.all([1, 2].map(() => startNode({ redisPort: redis.port })));
      const clients = await Promise.all(nodes.map((node) => connect(node)));
      for (const [n, client] of clients.entries()) await client.join('presence-room', { user_id: `u${n}` });
      await clients[0]!.next();
      await redis.kill();
      for (const node of nodes) {
        await eventually(async () =>
          expect(await node.ready()).toMatchObject({ body: { status: 'degraded' } }),
        );
      }
      await redis.start();
      // As if Redis had been away for a minute.
      const minute = 60_000_000;
      await redis.command('EVAL', PUT_BACK, '0', 'test:{nodes}', String(minute));
      for (const node of nodes) {
        await eventually(async () => expect(await node.ready()).toMatchObject({ body: { status: 'ready' } }));
      }
      await eventually(() => publish(nodes[0]!, 'presence-room', 'end', ''));
      for (const client of clients) {
        expect(await client.until(has('"event":"end"'))).toEqual([frames.event('end', 'presence-room', '')]);
      }
    }));

  test('or is out of memory keeps members, and lets them leave', () =>
    withRedis(async (redis) => {
      const nodes = await Promise.all([1, 2].map(() => startNode({ redisPort: redis.port })));
      const [ann, bob] = await Promise.all(nodes.map((node) => connect(node)));
      await ann!.join('presence-room', { user_id: 'ann' });
      await bob!.join('presence-room', { user_id: 'bob' });
      await ann!.next();
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      const answer = await request(nodes[0]!, 'POST', '/events', {
        body: { name: 'e', channel: 'news', data: '' },
      });
      expect(answer).toMatchObject({ status: 503, body: { error: expect.stringContaining('OOM') } });
      expect(answer.headers.get('retry-after')).toBe('1');
      bob!.close();
      expect(await ann!.next()).toBe(frames.memberRemoved('presence-room', 'bob'));
      for (const node of nodes) expect(await node.ready()).toMatchObject({ body: { status: 'ready' } });
    }));
});

/** Moves the last heartbeats of all nodes to an earlier time. */
const PUT_BACK = `
  local function earlier(number) return string.format('%.0f', tonumber(number) - ARGV[2]) end
  redis.call('SET', ARGV[1] .. ':heard', earlier(redis.call('GET', ARGV[1] .. ':heard')))
  for _, node in ipairs(redis.call('ZRANGE', ARGV[1] .. ':leases', 0, -1)) do
    redis.call('ZADD', ARGV[1] .. ':leases', earlier(redis.call('ZSCORE', ARGV[1] .. ':leases', node)), node)
  end`;
