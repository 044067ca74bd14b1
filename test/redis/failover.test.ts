import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { officialBackend } from '../helpers/brokers/backend.ts';
import { type ConfiguredNode, followReadiness, startNodeOn } from '../helpers/brokers/configured-node.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, openPusher } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';
import { documentedPermissions } from '../helpers/redis/documented-acl.ts';
import { hasRedis, type RedisServer } from '../helpers/redis/redis.ts';
import { freeze, ReplicatedCluster, WatchedMaster } from '../helpers/redis/replicas.ts';

/** Milliseconds within which a replica has taken over and every node uses it. */
const FAILOVER_MS = 40_000;
const PREFIX = 'test';

const publishTo = (node: ConfiguredNode, channel: string, data: unknown) =>
  request(node, 'POST', '/events', { body: { name: 'e', channel, data: JSON.stringify(data) } });

/** Publishes until it is acknowledged. */
async function publishOnce(node: ConfiguredNode, channel: string, data: unknown): Promise<void> {
  await eventually(async () => expect((await publishTo(node, channel, data)).status).toBe(200), FAILOVER_MS);
}

async function allReady(nodes: readonly ConfiguredNode[]): Promise<void> {
  for (const node of nodes) {
    await eventually(async () => expect(await node.ready()).toEqual({ status: 'ready' }), FAILOVER_MS);
  }
}

async function usersAt(node: ConfiguredNode, channel: string): Promise<string[]> {
  const { body } = await request(node, 'GET', `/channels/${channel}/users`);
  return (body as { users: { id: string }[] }).users.map(({ id }) => id).sort();
}

/** Milliseconds between two events, so that the log of the channel holds those that are missed in a failover. */
const PUBLISH_MS = 30;

/** Publishes numbers from 0 until it is stopped; answers the acknowledged ones. */
function publishNumbers(node: ConfiguredNode, channel: string): () => Promise<number[]> {
  const acknowledged: number[] = [];
  let isStopped = false;
  const run = async (): Promise<void> => {
    for (let n = 0; !isStopped; n += 1) {
      if ((await publishTo(node, channel, n)).status === 200) acknowledged.push(n);
      await new Promise((resolve) => setTimeout(resolve, PUBLISH_MS));
    }
  };
  const running = run();
  const stop = async (): Promise<number[]> => {
    isStopped = true;
    await running;
    return acknowledged;
  };
  onTestFinished(async () => void (await stop()));
  return stop;
}

/** The number of connections of brokers to a server. */
async function connectionsTo(server: RedisServer): Promise<number> {
  const list = String(await server.command('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => /cmd=(evalsha|eval|ssubscribe) /.test(line)).length;
}

/** Expects events in order, none twice, with all that were acknowledged. */
function expectAll(received: readonly unknown[], acknowledged: readonly number[]): void {
  const numbers = received.filter((data) => typeof data === 'number');
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(numbers).toEqual(expect.arrayContaining([...acknowledged]));
}

describe.skipIf(!hasRedis)('brokers on a server that sentinels watch', { timeout: 90_000 }, () => {
  async function start(aclUser?: string, credentials?: string) {
    const watched = await WatchedMaster.start(aclUser);
    onTestFinished(() => watched.stop());
    const receiver = await startReceiver();
    const events = ['member_added', 'member_removed'];
    const app = { webhooks: [{ url: receiver.url(), events }] };
    const redis = { sentinel: watched.settings(credentials), prefix: PREFIX };
    const nodes = await Promise.all([startNodeOn(redis, { app }), startNodeOn(redis, { app })]);
    const backend = await officialBackend(nodes[0]);
    const clients = await Promise.all(
      ['ann', 'bob'].map((user, n) => connectPusher(nodes[n]!, { backend, user })),
    );
    const rooms = [];
    for (const client of clients) rooms.push(await join(client, 'presence-room'));
    const inboxes = rooms.map((room) => listen(room, 'e'));
    return { watched, receiver, nodes, backend, clients, rooms, inboxes };
  }

  test('continue with the replica when the master is killed, without a restart', async () => {
    const { watched, receiver, nodes, backend, clients, rooms, inboxes } = await start();
    const words = nodes.map(followReadiness);
    await watched.master.kill();
    await eventually(() => {
      for (const said of words) expect(said).toContain('degraded');
    });
    await allReady(nodes);

    await publishOnce(nodes[0], 'presence-room', 'after');
    for (const inbox of inboxes) expect(await inbox.until((data) => data === 'after')).toEqual(['after']);
    const added = listen<{ id: string }>(rooms[0]!, 'pusher:member_added');
    const removed = listen<{ id: string }>(rooms[0]!, 'pusher:member_removed');
    const cid = openPusher(nodes[1], { backend, user: 'cid' });
    await join(cid, 'presence-room');
    for (const node of nodes) expect(await usersAt(node, 'presence-room')).toEqual(['ann', 'bob', 'cid']);
    await added.until(({ id }) => id === 'cid');
    expect(rooms.map(({ members }) => members.count)).toEqual([3, 3]);
    cid.disconnect();
    await removed.until(({ id }) => id === 'cid');
    const told = await receiver.eventsUntil(
      ({ name, user_id }) => name === 'member_removed' && user_id === 'cid',
    );
    expect(told.filter(({ user_id }) => user_id === 'cid').map(({ name }) => name)).toEqual([
      'member_added',
      'member_removed',
    ]);
    expect(clients.map(({ connection }) => connection.state)).toEqual(['connected', 'connected']);

    await watched.master.start();
    await eventually(async () => {
      expect(await watched.master.command('ROLE')).toContain('slave');
    }, FAILOVER_MS);
    await publishOnce(nodes[1], 'presence-room', 'with its replica');
    for (const inbox of inboxes) await inbox.until((data) => data === 'with its replica');
  });

  test('leave a live master when the sentinels name another one', async () => {
    const user = `broker on >hush ${documentedPermissions('sentinel').join(' ')}`;
    const { watched, nodes, rooms, inboxes } = await start(user, 'broker:hush@');
    await watched.pace(2000);
    await watched.failOver();
    await eventually(async () => {
      expect(await connectionsTo(watched.replica)).toBeGreaterThan(0);
      expect(await connectionsTo(watched.master)).toBe(0);
    }, FAILOVER_MS);
    // The old master accepts writes until the sentinels make it follow the new one.
    expect(await watched.master.command('ROLE')).toContain('master');
    await allReady(nodes);
    await publishOnce(nodes[1], 'presence-room', 'end');
    for (const inbox of inboxes) await inbox.until((data) => data === 'end');
    for (const node of nodes) expect(await usersAt(node, 'presence-room')).toEqual(['ann', 'bob']);
    expect(rooms.map(({ members }) => members.count)).toEqual([2, 2]);

    await eventually(async () => {
      expect(await watched.master.command('ROLE')).toContain('slave');
    }, FAILOVER_MS);
    expect(await publishTo(nodes[0], 'presence-room', 'end')).toMatchObject({ status: 200 });
  });

  test('ask the next sentinel when one is down', async () => {
    const { watched, nodes, inboxes } = await start();
    await watched.killSentinel();
    await publishOnce(nodes[0], 'presence-room', 'end');
    for (const inbox of inboxes) await inbox.until((data) => data === 'end');
    await allReady(nodes);
  });
});

describe.skipIf(!hasRedis)('brokers on a Redis Cluster with replicas', { timeout: 90_000 }, () => {
  let cluster: ReplicatedCluster;
  beforeAll(async () => {
    cluster = await ReplicatedCluster.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  const topicOf = (channel: string) => `${PREFIX}:topic:{app-1:${channel}}`;

  /** A channel in this part of the cluster. */
  async function channelIn<Begin extends string>(shard: number, begin: Begin): Promise<`${Begin}-${number}`> {
    for (let n = 0; ; n += 1) {
      const channel = `${begin}-${n}` as const;
      if ((await cluster.shardOf(topicOf(channel))) === shard) return channel;
    }
  }

  const start = () => {
    const redis = { cluster: { nodes: cluster.urls }, prefix: PREFIX };
    return Promise.all([startNodeOn(redis), startNodeOn(redis)]);
  };

  test('follow a part that moves to another server, and no subscriber misses an acknowledged event', async () => {
    const nodes = await start();
    const backend = await officialBackend(nodes[0]);
    const channel = await channelIn(0, 'presence-room');
    const clients = await Promise.all(
      ['ann', 'bob'].map((user, n) => connectPusher(nodes[n]!, { backend, user })),
    );
    const rooms = [];
    for (const client of clients) rooms.push(await join(client, channel));
    const inboxes = rooms.map((room) => listen(room, 'e'));
    const stop = publishNumbers(nodes[0], channel);
    const [from, to] = cluster.shards.map(({ master }) => master);
    await cluster.move(await cluster.slotOf(topicOf(channel)), from!, to!, async () => {
      expect(await publishTo(nodes[1], channel, 'on its way')).toMatchObject({ status: 503 });
    });
    await publishOnce(nodes[1], channel, 'moved');
    const received = await Promise.all(inboxes.map((inbox) => inbox.until((data) => data === 'moved')));
    const acknowledged = await stop();
    await publishOnce(nodes[1], channel, 'end');
    for (const [n, inbox] of inboxes.entries()) {
      expectAll([...received[n]!, ...(await inbox.until((data) => data === 'end'))], acknowledged);
    }
    await allReady(nodes);
    for (const node of nodes) expect(await usersAt(node, channel)).toEqual(['ann', 'bob']);
    const removed = listen<{ id: string }>(rooms[0]!, 'pusher:member_removed');
    clients[1]!.disconnect();
    expect((await removed.next()).id).toBe('bob');
  });

  test.each([
    ['is killed', (server: RedisServer) => server.kill(), 0],
    ['does not answer any more', freeze, 1],
  ])('go on with the replica when a master %s, and miss nothing of the other ones', async (_, fail, turn) => {
    const nodes = await start();
    const backend = await officialBackend(nodes[0]);
    // Not the server with the leases, whose silence the nodes would notice.
    const leases = await cluster.shardOf(`${PREFIX}:{nodes}`);
    const others = [0, 1, 2].filter((each) => each !== leases);
    const [lost = 0, other = 0] = turn === 0 ? others : others.reverse();
    const doomed = await channelIn(lost, 'presence-room');
    const safe = await Promise.all([channelIn(other, 'news'), channelIn(leases, 'news')]);
    const clients = await Promise.all(
      ['ann', 'bob'].map((user, n) => connectPusher(nodes[n]!, { backend, user })),
    );
    const rooms = [];
    for (const client of clients) rooms.push(await join(client, doomed));
    const inboxes = await Promise.all(
      clients.flatMap((client) => safe.map(async (channel) => listen(await join(client, channel), 'e'))),
    );
    const words = nodes.map(followReadiness);
    const stops = safe.map((channel) => publishNumbers(nodes[0], channel));
    await fail(cluster.shards[lost]!.master);
    await eventually(() => {
      for (const said of words) expect(said).toContain('degraded');
    });
    await allReady(nodes);
    const acknowledged = await Promise.all(stops.map((stop) => stop()));
    for (const channel of safe) await publishOnce(nodes[1], channel, 'end');
    for (const [n, inbox] of inboxes.entries()) {
      expectAll(await inbox.until((data) => data === 'end'), acknowledged[n % safe.length]!);
    }

    const ends = rooms.map((room) => listen(room, 'e'));
    await publishOnce(nodes[0], doomed, 'after');
    for (const inbox of ends) expect(await inbox.next()).toBe('after');
    for (const node of nodes) expect(await usersAt(node, doomed)).toEqual(['ann', 'bob']);
    expect(rooms.map(({ members }) => members.count)).toEqual([2, 2]);
    await cluster.shards[lost]!.master.kill();
    await cluster.shards[lost]!.master.start();
    await cluster.complete();
    expect(await publishTo(nodes[1], doomed, 'with its replica')).toMatchObject({ status: 200 });
    for (const inbox of ends) expect(await inbox.next()).toBe('with its replica');
  });
});
