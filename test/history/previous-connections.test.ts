import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, connectCapable, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const ROOM = 'private-room';
const history = [{ channels: 'private-*', seconds: 60, messages: 20 }];
const PATIENCE_MS = 30_000;

interface Place {
  readonly url: string;
}

/** Subscribes a stock client, which may name the connection that it had before. */
async function join(
  client: TestClient,
  { previous, user, channel = ROOM }: { previous?: string; user?: string; channel?: string } = {},
): Promise<void> {
  const claims = { ...(previous && { previous_socket_id: previous }), ...(user && { user }) };
  const member = channel.startsWith('presence-') ? { user_id: 'ann' } : {};
  client.askFor(channel, { ...member, countersign: claims });
  expect(await client.nextMessage(PATIENCE_MS)).toMatchObject({
    event: 'pusher_internal:subscription_succeeded',
  });
}

const say = (place: Place, data: string, channel = ROOM, socketId?: string) =>
  publish(place, channel, 'e', data, socketId === undefined ? {} : { socket_id: socketId });

/** The data of all events that have come, which are plain frames. */
async function heard(client: TestClient, channel = ROOM): Promise<unknown[]> {
  const received = (await client.nothing()).map((frame) => JSON.parse(String(frame)));
  for (const { data, ...rest } of received) expect([data, rest]).toEqual([data, { event: 'e', channel }]);
  return received.map(({ data }) => data);
}

const lost = (code: string, channel = ROOM) =>
  JSON.stringify({ event: 'pusher_internal:recovery_lost', channel, data: JSON.stringify({ code }) });

/** Ends a connection, and waits until the broker has noticed. */
async function leave(place: Place, client: TestClient): Promise<void> {
  const others = async () => {
    const { body } = await request(place, 'GET', '/channels');
    return Object.keys((body as { channels: object }).channels);
  };
  client.close();
  await expect.poll(others).toEqual([]);
}

describe('a stock client that comes back', () => {
  test.each(['private-room', 'presence-lobby', 'private-cache-room'])(
    'is replayed what it had not been sent in %s, and then what is live',
    async (channel) => {
      const server = await startServer({ app: { history: [{ ...history[0], channels: '*' }] } });
      const client = await connect(server);
      await join(client, { channel });
      if (channel.includes('cache')) expect(await client.next()).toBe(frames.cacheMiss(channel));
      await leave(server, client);
      for (const data of ['1', '2', '3']) await say(server, data, channel);
      const back = await connect(server);
      await join(back, { channel, previous: client.socketId });
      await say(server, '4', channel);
      expect(await heard(back, channel)).toEqual(['1', '2', '3', '4']);
    },
  );

  test('gets long replays whole', async () => {
    const server = await startServer({ app: { history: [{ ...history[0], messages: 500 }] } });
    const client = await connect(server);
    await join(client);
    await leave(server, client);
    const missed = Array.from({ length: 350 }, (_, n) => String(n));
    for (const data of missed) await say(server, data);
    const back = await connect(server);
    await join(back, { previous: client.socketId });
    const received = await back.until((frame) => frame === frames.event('e', ROOM, '349'));
    expect(received).toEqual(missed.map((data) => frames.event('e', ROOM, data)));
  });

  test('is not sent again what it has confirmed by a pong', async () => {
    const clock = { aheadMs: 0 };
    const parts = { monotonic: () => performance.now() + clock.aheadMs };
    const server = await startServer({ app: { history, activityTimeoutSeconds: 30 }, parts });
    const client = await connect(server);
    await join(client);
    await say(server, '1');
    expect(await client.next()).toBe(frames.event('e', ROOM, '1'));
    clock.aheadMs += 60_000;
    expect(await client.next()).toBe(frames.ping);
    client.send({ event: 'pusher:pong', data: {} });
    await client.nothing();
    await say(server, '2');
    expect(await client.next()).toBe(frames.event('e', ROOM, '2'));
    await leave(server, client);
    await say(server, '3');
    const back = await connect(server);
    await join(back, { previous: client.socketId });
    expect(await heard(back)).toEqual(['2', '3']);
  });

  test('is sent again what was sent in the ten seconds before its last sign of life, and since', async () => {
    const clock = { aheadMs: 0 };
    const parts = { monotonic: () => performance.now() + clock.aheadMs };
    const server = await startServer({ app: { history }, parts });
    const client = await connect(server);
    await join(client);
    for (const data of ['1', '2', '3']) {
      await say(server, data);
      clock.aheadMs += 20_000;
    }
    await client.nothing();
    await say(server, '4');
    await leave(server, client);
    const back = await connect(server);
    await join(back, { previous: client.socketId });
    expect(await heard(back)).toEqual(['4']);
    clock.aheadMs += 5000;
    await say(server, '5');
    await back.nothing();
    await leave(server, back);
    const again = await connect(server);
    await join(again, { previous: back.socketId });
    expect(await heard(again)).toEqual(['4', '5']);
  });

  test('may come back before the broker has noticed that it was away', async () => {
    const server = await startServer({ app: { history } });
    const client = await connect(server);
    await join(client);
    await say(server, '1');
    const back = await connect(server);
    await join(back, { previous: client.socketId });
    expect(await heard(back)).toEqual(['1']);
  });

  test('is not sent what its connection was excluded from', async () => {
    const server = await startServer({ app: { history } });
    const client = await connect(server);
    await join(client);
    await say(server, '1', ROOM, client.socketId);
    await say(server, '2');
    await leave(server, client);
    const back = await connect(server);
    await join(back, { previous: client.socketId });
    expect(await heard(back)).toEqual(['2']);
  });

  test('gets again what its connection was still to get of a replay or of a rewind', async () => {
    const server = await startServer({ app: { history: [{ ...history[0], rewind: 2 }] } });
    for (const data of ['1', '2', '3']) await say(server, data);
    const client = await connect(server);
    await join(client);
    await leave(server, client);
    const back = await connect(server);
    await join(back, { previous: client.socketId });
    expect(await heard(back)).toEqual(['2', '3']);
    await leave(server, back);
    const again = await connect(server);
    await join(again, { previous: back.socketId });
    expect(await heard(again)).toEqual(['2', '3']);
  });
});

describe('a stock client is told that events are lost', () => {
  async function cut(user?: string) {
    const server = await startServer({ app: { history } });
    const client = await connect(server);
    await join(client, user === undefined ? {} : { user });
    await say(server, '1');
    await leave(server, client);
    return { server, previous: client.socketId };
  }

  async function told(server: Place, claims: Parameters<typeof join>[1]): Promise<unknown[]> {
    const back = await connect(server);
    await join(back, claims);
    return back.nothing();
  }

  test('if its connection is unknown, was not in the channel, or was there as somebody else', async () => {
    const { server, previous } = await cut('ann');
    const unknown = [lost('position_unknown')];
    expect(await told(server, { previous: '1.1', user: 'ann' })).toEqual(unknown);
    expect(await told(server, { previous, user: 'bob' })).toEqual(unknown);
    expect(await told(server, { previous })).toEqual(unknown);
    expect(await told(server, { previous, channel: 'private-other' })).toEqual([
      lost('position_unknown', 'private-other'),
    ]);
    expect(await told(server, { previous, user: 'ann' })).toEqual([frames.event('e', ROOM, '1')]);
  });

  test('if it left the channel before its connection ended', async () => {
    const server = await startServer({ app: { history } });
    const client = await connect(server);
    await join(client);
    client.unsubscribe(ROOM);
    await client.nothing();
    await leave(server, client);
    expect(await told(server, { previous: client.socketId })).toEqual([lost('position_unknown')]);
  });

  test('if the history has dropped them', async () => {
    const { server, previous } = await cut();
    for (let n = 0; n < 25; n += 1) await say(server, 'x');
    expect(await told(server, { previous })).toEqual([lost('position_too_old')]);
  });

  test('if the channel has no history', async () => {
    const server = await startServer();
    const client = await connect(server);
    await join(client);
    await leave(server, client);
    expect(await told(server, { previous: client.socketId })).toEqual([lost('position_unknown')]);
  });
});

test('a client that knows positions is told by them, and by nothing else', async () => {
  const server = await startServer({ app: { history } });
  const client = await connect(server);
  await join(client);
  await leave(server, client);
  await say(server, '1');
  const capable = await connectCapable(server);
  await join(capable, { previous: client.socketId });
  expect(await capable.nothing()).toEqual([]);
});

describe('the connection before may have been', () => {
  test('on another worker', async () => {
    const group = await startWorkers({ app: { history } });
    const [first, second] = [await group.connectTo(1), await group.connectTo(2)];
    await join(first);
    await leave(group, first);
    await say(group, '1');
    await join(second, { previous: first.socketId });
    expect(await heard(second)).toEqual(['1']);
  }, 60_000);

  test('on another worker, which has not noticed that it is broken', async () => {
    const group = await startWorkers({ app: { history } });
    const [first, second] = [await group.connectTo(1), await group.connectTo(2)];
    await join(first, { user: 'ann' });
    await say(group, '1');
    expect(await first.next()).toBe(frames.event('e', ROOM, '1'));
    await join(second, { previous: first.socketId, user: 'ann' });
    expect(await heard(second)).toEqual(['1']);
    const other = await group.connectTo(2);
    await join(other, { previous: first.socketId, user: 'bob' });
    expect(await other.nothing()).toEqual([lost('position_unknown')]);
  }, 60_000);

  test.skipIf(!hasRedis)(
    'on another node, which has not noticed that it is broken, in a crowd',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      const config = { redis: { url: `redis://127.0.0.1:${redis.port}` } };
      const [one, two] = [
        await startServer({ config, app: { history } }),
        await startServer({ config, app: { history } }),
      ];
      const before = await Promise.all(Array.from({ length: 50 }, () => connect(one)));
      for (const client of before) await join(client);
      await say(two, '1');
      for (const client of before) expect(await client.next(PATIENCE_MS)).toBe(frames.event('e', ROOM, '1'));
      const back = await Promise.all(before.map(() => connect(two)));
      await Promise.all(back.map((client, n) => join(client, { previous: before[n]!.socketId })));
      for (const client of back) expect(await heard(client)).toEqual(['1']);
    },
    60_000,
  );

  test.skipIf(!hasRedis)(
    'on another node, which has ended since',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      const config = { redis: { url: `redis://127.0.0.1:${redis.port}` } };
      const node = await startServer({ config, app: { history } });
      const other = await MortalBroker.start({
        ...config,
        host: '127.0.0.1',
        port: 0,
        apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], history }],
      });
      const client = await connect(other.broker);
      await join(client);
      await say(node, '1');
      expect(await client.next(PATIENCE_MS)).toBe(frames.event('e', ROOM, '1'));
      await other.end('SIGTERM');
      await say(node, '2');
      const back = await connect(node);
      await join(back, { previous: client.socketId });
      expect(await heard(back)).toEqual(['1', '2']);
    },
    60_000,
  );
});
