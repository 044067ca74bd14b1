import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { officialBackend, pusherFor } from '../helpers/brokers/backend.ts';
import { OUT_OF_REACH, RunningNode, startNode } from '../helpers/brokers/running-node.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, signIn } from '../helpers/clients/official.ts';
import { RosterView } from '../helpers/clients/roster-view.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

/** Members that join and leave at a time: the test is one process, which reads what each of them receives about all others. */
const AT_ONCE = 30;

describe.skipIf(!hasRedis)('brokers on one Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  let prefix = '';
  beforeAll(async () => {
    redis = await RedisServer.start(['--appendonly', 'yes']);
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    prefix = `test-${Math.random()}`;
  });

  const start = (settings: object = {}) => startNode({ redisPort: redis.port, prefix, ...settings });
  const three = (settings?: object) => Promise.all([start(settings), start(settings), start(settings)]);

  test('a nonce counts once over all nodes', async () => {
    const nodes = await three();
    const options = {
      body: { name: 'e', data: 'x', channel: 'news' },
      query: { auth_nonce: 'one-nonce-for-all' },
    };
    const answers = await Promise.all(
      [...nodes, ...nodes].map((node) => request(node, 'POST', '/events', options)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401, 401]);
  });

  describe('for the official libraries', () => {
    let nodes: readonly [RunningNode, RunningNode, RunningNode];
    beforeAll(async () => {
      const settings = { redisPort: redis.port, prefix: 'official' };
      const begin = () => RunningNode.start(settings);
      nodes = await Promise.all([begin(), begin(), begin()]);
    });
    afterAll(() => Promise.all(nodes.map(({ cli }) => cli.kill())));

    test('an event published on any node reaches all subscribers once and in order, except the excluded one', async () => {
      const clients = await Promise.all(nodes.map((node) => connectPusher(node)));
      const inboxes = await Promise.all(
        clients.map(async (client) => listen<number>(await join(client, 'news'), 'e')),
      );
      for (let i = 0; i < 30; i += 1) await pusherFor(nodes[i % 3]!).trigger('news', 'e', i);
      const { socket_id } = clients[1]!.connection;
      await pusherFor(nodes[0]).trigger('news', 'e', 'not for b', { socket_id });
      await pusherFor(nodes[2]).trigger('news', 'e', 'end');
      const sent = Array.from({ length: 30 }, (_, i) => i);
      for (const [index, inbox] of inboxes.entries()) {
        const received = await inbox.until((data) => String(data) === 'end');
        expect(received).toEqual([...sent, ...(index === 1 ? [] : ['not for b']), 'end']);
      }
    });

    test('presence is one list with each member once, and the API answers the same on every node', async () => {
      const backend = await officialBackend(nodes[0]);
      const [ann, bob, ann2] = await Promise.all(
        ['ann', 'bob', 'ann'].map((user, index) => connectPusher(nodes[index]!, { backend, user })),
      );
      const room = await join(ann!, 'presence-room');
      const added = listen<{ id: string }>(room, 'pusher:member_added');
      const removed = listen<{ id: string }>(room, 'pusher:member_removed');
      expect((await join(bob!, 'presence-room')).members.count).toBe(2);
      expect((await join(ann2!, 'presence-room')).members.count).toBe(2);
      for (const node of nodes) {
        expect(await request(node, 'GET', '/channels/presence-room/users')).toMatchObject({
          body: { users: expect.arrayContaining([{ id: 'ann' }, { id: 'bob' }]) },
        });
        expect(
          await request(node, 'GET', '/channels', {
            query: { info: 'user_count', filter_by_prefix: 'presence-' },
          }),
        ).toMatchObject({
          body: { channels: { 'presence-room': { user_count: 2 } } },
        });
      }
      ann2!.disconnect();
      bob!.disconnect();
      expect((await added.next()).id).toBe('bob');
      expect((await removed.next()).id).toBe('bob');
      expect(room.members.count).toBe(1);
    });

    test('client events, kept events, messages to a user and the termination of their connections cross nodes', async () => {
      const backend = await officialBackend(nodes[0]);
      const [ann, bob] = await Promise.all(
        ['ann', 'bob'].map((user, index) => connectPusher(nodes[index]!, { backend, user })),
      );
      const room = await join(ann!, 'private-room');
      const typing = listen(await join(bob!, 'private-room'), 'client-typing');
      room.trigger('client-typing', { by: 'ann' });
      expect(await typing.next()).toEqual({ by: 'ann' });

      await pusherFor(nodes[2]).trigger('cache-score', 'goal', '1:0');
      const goal = listen(ann!.subscribe('cache-score'), 'goal');
      expect(await goal.next()).toBe('1:0');

      await signIn(bob!);
      const mail = listen(bob!.user, 'mail');
      await pusherFor(nodes[0]).sendToUser('bob', 'mail', 'hello');
      expect(await mail.next()).toBe('hello');
      const gone = listen(bob!.connection, 'disconnected');
      await pusherFor(nodes[2]).terminateUserConnections('bob');
      await gone.next();
    });
  });

  test('a quota counts the connections of all nodes', async () => {
    const [a, b] = await three({ limits: { connections: 2 } });
    const first = await connect(a);
    await connect(b);
    await expect(connect(b)).rejects.toThrow('pusher:error');
    first.close();
    await eventually(() => connect(b));
  });

  test('the seats of a killed node are removed in time, and announced once', async () => {
    const [a, b, dead] = await three({ app: { subscriptionCount: true } });
    const watching = await Promise.all([connect(a), connect(b)]);
    for (const [index, client] of watching.entries())
      await client.join('presence-room', { user_id: `w${index}` });
    const ann = await connect(dead);
    await ann.join('presence-room', { user_id: 'ann' });
    await ann.join('news');
    const counting = await connect(a);
    await counting.join('news');
    await counting.until((frame) => frame === frames.count('news', 2));
    dead.cli.signal('SIGKILL');
    await counting.until((frame) => frame === frames.count('news', 1));
    for (const client of watching) {
      const isGone = (frame: unknown) => String(frame).includes('member_removed');
      const received = await client.until(isGone);
      expect(received.at(-1)).toContain('{\\"user_id\\":\\"ann\\"}');
      expect((await client.nothing()).filter(isGone)).toEqual([]);
    }
    await eventually(async () => {
      const { body } = await request(b, 'GET', '/channels');
      expect(body).toEqual({ channels: { 'presence-room': {}, news: {} } });
    });
  });

  test('a thousand members that join and leave while a node is killed leave equal and correct lists', async () => {
    const nodes = await three({ limits: { presenceMembers: 2000 } });
    const channel = 'presence-crowd';
    const observers = await Promise.all(
      nodes.map(async (node, index) => {
        const client = await connect(node);
        const view = new RosterView(channel);
        const faults: string[] = [];
        client.socket.on('message', (data) => {
          try {
            view.read(data.toString());
          } catch (error) {
            faults.push(String(error));
          }
        });
        await client.join(channel, { user_id: `observer-${index}` });
        return { client, view, faults };
      }),
    );

    const clients: TestClient[] = [];
    for (let from = 0; from < 999; from += 111) {
      const slice = Array.from({ length: 111 }, (_, i) => connect(nodes[(from + i) % 3]!));
      clients.push(...(await Promise.all(slice)));
    }
    const truth = new Set<string>(['observer-0', 'observer-1']);
    const move = async (client: TestClient, index: number): Promise<void> => {
      const user_id = `user-${index}`;
      if (index === 500) nodes[2].cli.signal('SIGKILL');
      const answer = await client.join(channel, { user_id });
      // Some unsubscribe, some disconnect, the others stay.
      if (index % 4 === 0) client.unsubscribe(channel);
      else if (index % 4 === 1) client.close();
      else if (index % 3 !== 2 && String(answer).includes('subscription_succeeded')) truth.add(user_id);
    };
    for (let from = 0; from < clients.length; from += AT_ONCE) {
      const slice = clients.slice(from, from + AT_ONCE);
      await Promise.all(slice.map((client, i) => move(client, from + i)));
    }
    // The members of the two live nodes, without those that left.
    expect(truth.size).toBe(2 + 332);

    const expected = [...truth].sort();
    const back = await start({ limits: { presenceMembers: 2000 } });
    for (const node of [nodes[0], nodes[1], back]) {
      await eventually(async () => {
        const { body } = await request(node, 'GET', `/channels/${channel}/users`);
        const { users } = body as { users: { id: string }[] };
        expect(users.map(({ id }) => id).sort()).toEqual(expected);
      });
    }
    for (const { view, faults } of observers.slice(0, 2)) {
      await eventually(() => expect(view.members).toEqual(expected));
      expect(faults).toEqual([]);
    }
  });

  test('while Redis is down nothing changes, and afterwards everything continues', async () => {
    const own = await RedisServer.start(['--appendonly', 'yes']);
    try {
      const [a, b] = await Promise.all([start({ redisPort: own.port }), start({ redisPort: own.port })]);
      const [ann, bob] = await Promise.all([connect(a), connect(b)]);
      await ann.join('presence-room', { user_id: 'ann' });
      await bob.join('presence-room', { user_id: 'bob' });
      await ann.next();
      await own.kill();
      await eventually(async () =>
        expect(await a.ready()).toEqual({
          status: 200,
          body: { status: 'degraded', reason: OUT_OF_REACH },
        }),
      );
      expect(
        await request(a, 'POST', '/events', { body: { name: 'e', data: '', channel: 'presence-room' } }),
      ).toMatchObject({
        status: 503,
        body: { status: 503 },
      });
      ann.trigger('presence-room', 'client-e', {});
      expect(await ann.nextMessage()).toMatchObject({ event: 'pusher:error', data: { code: null } });
      for (const channel of ['private-new', 'presence-new']) {
        const answer = String(
          await ann.join(channel, channel.startsWith('presence') ? { user_id: 'ann' } : undefined),
        );
        expect(answer).toContain('pusher:subscription_error');
        expect(answer).toContain('\\"status\\":500');
      }
      await own.start();
      await eventually(async () => {
        for (const node of [a, b])
          expect(await node.ready()).toEqual({ status: 200, body: { status: 'ready' } });
      });
      await eventually(() => publish(a, 'presence-room', 'again', '1'));
      for (const client of [ann, bob]) {
        const frames = await client.until((frame) => String(frame).includes('"event":"again"'));
        expect(frames.filter((frame) => String(frame).includes('member_'))).toEqual([]);
      }
      expect(
        (await request(b, 'GET', '/channels/presence-room', { query: { info: 'user_count' } })).body,
      ).toMatchObject({
        user_count: 2,
      });
      expect(await ann.join('private-new')).toContain('subscription_succeeded');
    } finally {
      await own.stop();
    }
  });

  test('members of a node that is cut off are removed, and come back without ghosts', async () => {
    const valve = await Valve.open(redis.port);
    try {
      const a = await start();
      const cut = await start({ redisPort: valve.port });
      const [ann, bob, cid] = await Promise.all([connect(a), connect(cut), connect(cut)]);
      await ann.join('presence-room', { user_id: 'ann' });
      await bob.join('presence-room', { user_id: 'bob' });
      await cid.join('presence-room', { user_id: 'cid' });
      await ann.until((frame) => String(frame).includes('cid'));
      valve.shut();
      const changes = [String(await ann.next()), String(await ann.next())];
      expect(changes.filter((frame) => frame.includes('member_removed'))).toHaveLength(2);
      cid.close();
      await publish(a, 'presence-room', 'missed', '1');
      valve.reopen();
      expect(await ann.until((frame) => String(frame).includes('member_added'))).toContainEqual(
        expect.stringContaining('bob'),
      );
      await bob.until((frame) => String(frame).includes('"event":"missed"'));
      await eventually(async () => {
        const { body } = await request(a, 'GET', '/channels/presence-room/users');
        expect(body).toEqual({ users: expect.arrayContaining([{ id: 'ann' }, { id: 'bob' }]) });
        expect((body as { users: unknown[] }).users).toHaveLength(2);
      });
    } finally {
      valve.close();
    }
  });
});
