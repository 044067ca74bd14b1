import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { startNodeOn } from '../helpers/brokers/configured-node.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import {
  type ReceivedEvent,
  readEvents,
  startReceiver,
  status,
  type WebhookReceiver,
} from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { Visitor } from '../helpers/console.ts';
import { eventually } from '../helpers/eventually.ts';
import { NODE_TIMEOUT_SECONDS } from '../helpers/redis/node-timeout.ts';
import { hasRedis, RedisCluster, RedisServer } from '../helpers/redis/redis.ts';

const EVENTS = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'];

const told = ({ name, channel, user_id }: ReceivedEvent) =>
  [name, channel, user_id].filter(Boolean).join(' ');

/** Waits until everything is delivered, and the outbox knows it. */
async function delivered({ broker }: MortalBroker): Promise<void> {
  await eventually(async () => {
    const { body } = await request(broker, 'GET', '/webhooks');
    expect(body).toMatchObject({ webhooks: [{ deliveries: { pending: 0, failing: 0, dead: 0 } }] });
  });
}

describe.skipIf(!hasRedis)('webhooks of three nodes', () => {
  let redis: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    redis = await RedisServer.start(['--appendonly', 'yes']);
  });
  afterAll(() => redis.stop());

  /** Starts three nodes that tell the receiver what happens; the first one is the leader. */
  async function startNodes(
    receiver: WebhookReceiver,
    { app, hook, leaderUrl, ...settings }: Record<string, object | number | string> = {},
  ) {
    prefixes += 1;
    const prefix = `test-${prefixes}`;
    const config = {
      host: '127.0.0.1',
      port: 0,
      drainWindowSeconds: 0,
      redis: { url: redis.url, prefix },
      nodeTimeoutSeconds: NODE_TIMEOUT_SECONDS,
      webhookGraceSeconds: 1,
      ...settings,
      apps: [
        {
          id: APP.id,
          keys: [{ key: APP.key, secret: APP.secret }],
          webhooks: [{ id: 'hook', url: receiver.url(), events: EVENTS, ...(hook as object) }],
          ...(app as object),
        },
      ],
    };
    const leader = await MortalBroker.start({ ...config, redis: { url: leaderUrl ?? redis.url, prefix } });
    await eventually(async () => {
      expect(await redis.command('EXISTS', `${prefix}:{webhooks}:clerk`)).toBe(1);
    });
    const [second, third] = await Promise.all([MortalBroker.start(config), MortalBroker.start(config)]);
    return { leader, second, third, config };
  }

  test('what happens on any node is told once, in order', async () => {
    const receiver = await startReceiver();
    const { leader, second, third } = await startNodes(receiver);
    const ann = await connect(second.broker);
    const again = await connect(third.broker);
    const bob = await connect(leader.broker);
    await ann.join('presence-room', { user_id: 'ann' });
    await again.join('presence-room', { user_id: 'ann' });
    await bob.join('presence-room', { user_id: 'bob' });
    ann.close();
    await connect(second.broker).then((marker) => marker.join('private-marker'));
    again.close();
    const events = await receiver.eventsUntil((event) => event.name === 'member_removed');
    bob.close();
    events.push(
      ...(await receiver.eventsUntil(
        (event) => event.channel === 'presence-room' && event.name === 'channel_vacated',
      )),
    );
    const inRoom = events.filter(({ channel }) => channel === 'presence-room');
    expect(inRoom.map(told)).toEqual([
      'channel_occupied presence-room',
      'member_added presence-room ann',
      'member_added presence-room bob',
      'member_removed presence-room ann',
      'member_removed presence-room bob',
      'channel_vacated presence-room',
    ]);
    // Deliveries about other channels may pass each other.
    expect(events.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual(events.map((_, n) => n + 1));
  });

  test('the log names the leader if there is a webhook, and otherwise only at debug level', async () => {
    const receiver = await startReceiver();
    const config = { log: { level: 'debug' } };
    const start = async (name: string, webhooks: readonly object[]) => {
      const redisSettings = { url: redis.url, prefix: `leader-${name}` };
      const { cli } = await startNodeOn(redisSettings, { config, app: { webhooks } });
      return (await cli.logged('this node delivers webhooks now'))['level'];
    };
    expect(await start('with', [{ url: receiver.url(), events: EVENTS }])).toBe(30);
    expect(await start('without', [])).toBe(20);
  });

  test('a client that comes back on another node has not left', async () => {
    const receiver = await startReceiver();
    const { second, third } = await startNodes(receiver);
    for (const [from, to] of [
      [second, third],
      [third, second],
    ] as const) {
      const ann = await connect(from.broker);
      await ann.join('presence-room', { user_id: 'ann' });
      ann.close();
      const again = await connect(to.broker);
      await again.join('presence-room', { user_id: 'ann' });
      again.close();
    }
    const events = await receiver.eventsUntil(({ name }) => name === 'channel_vacated');
    expect(events.map(told)).toEqual([
      'channel_occupied presence-room',
      'member_added presence-room ann',
      'member_removed presence-room ann',
      'channel_vacated presence-room',
    ]);
  });

  test('each node answers for all of them', async () => {
    const receiver = await startReceiver();
    const { leader, second, third } = await startNodes(receiver);
    const ask = (node: MortalBroker, method: 'GET' | 'POST', path: string, body?: object) =>
      request(node.broker, method, path, { body });
    const stands = (state: string, counts: object) => ({
      status: 200,
      body: { webhooks: [{ id: 'hook', state, deliveries: { pending: 0, failing: 0, dead: 0, ...counts } }] },
    });
    expect(await ask(second, 'POST', '/webhooks/hook/pause')).toMatchObject({ body: { state: 'paused' } });
    await (await connect(third.broker)).join('private-a');
    await eventually(async () => {
      expect(await ask(third, 'GET', '/webhooks')).toMatchObject(stands('paused', { pending: 1 }));
    });
    expect(await ask(leader, 'GET', '/webhook_events')).toMatchObject({
      body: { last_seq: 1, events: [{ name: 'channel_occupied', channel: 'private-a' }] },
    });
    expect(await ask(third, 'GET', '/webhooks/hook/deliveries')).toMatchObject({
      body: { deliveries: [{ state: 'pending' }] },
    });
    expect(await ask(second, 'POST', '/webhooks/hook/skip', { state: 'pending' })).toMatchObject({
      body: { skipped: 1 },
    });
    expect(await ask(third, 'POST', '/webhooks/hook/resume')).toMatchObject({ body: { state: 'active' } });
    const { body } = await ask(second, 'POST', '/webhooks/hook/test');
    expect(await receiver.nextEvent()).toMatchObject({ name: 'test', id: (body as { event: string }).event });
    receiver.reply = status(500);
    await ask(second, 'POST', '/webhooks/hook/test');
    await eventually(async () => {
      expect(await ask(second, 'GET', '/webhooks')).toMatchObject(stands('active', { failing: 1 }));
    });
    const visitor = new Visitor(third.broker);
    await visitor.signIn();
    await eventually(async () => {
      expect((await visitor.ask('GET', 'webhook-health?hook=hook')).body).toMatchObject({
        total: { delivered: 1, failed: expect.any(Number) },
        steps: expect.arrayContaining([expect.objectContaining({ p95: expect.any(Number) })]),
        attempts: expect.arrayContaining([
          expect.objectContaining({
            status: 500,
            request: expect.objectContaining({ body: expect.any(String) }),
          }),
        ]),
      });
    });
    expect(await ask(third, 'POST', '/webhooks/hook/retry', { state: 'failing' })).toMatchObject({
      body: { retried: 1 },
    });
  });

  test('kill -9 of the leader in the middle of 500 events: each arrives, in order, none under two ids', async () => {
    const receiver = await startReceiver();
    const limits = { clientEventsPerSecond: 100_000, framesPerSecond: 100_000 };
    const { leader, second, third } = await startNodes(receiver, {
      app: { limits },
      hook: { events: ['client_event'], maxEvents: 3 },
    });
    const arrived = () => receiver.posted.flatMap(({ events }) => events);
    const channels = ['private-0', 'private-1', 'private-2', 'private-3'];
    const talkers = await Promise.all([connect(second.broker), connect(third.broker)]);
    for (const talker of talkers) for (const channel of channels) await talker.join(channel);

    const talk = async (from: number, to: number) => {
      for (let n = from; n < to; n += 1) {
        const talker = talkers[n % 2]!;
        talker.trigger(channels[n % 4]!, 'client-n', String(n));
        if (n % 10 === 0) await Promise.all(talkers.map((each) => each.nothing()));
      }
    };
    await talk(0, 250);
    await eventually(() => expect(arrived().length).toBeGreaterThan(50));
    const talked = talk(250, 500);
    await leader.end('SIGKILL');
    await talked;

    await eventually(() => expect(new Set(arrived().map(({ data }) => data)).size).toBe(500));
    const ids = new Map<unknown, string>();
    const contents = new Map<unknown, string>();
    for (const { events, headers } of receiver.posted) {
      for (const { data, id } of events) expect(ids.get(data) ?? id).toBe(id);
      for (const { data, id } of events) ids.set(data, id);
      const content = JSON.stringify(events);
      expect(contents.get(headers['webhook-id']) ?? content).toBe(content);
      contents.set(headers['webhook-id'], content);
    }
    for (const channel of channels) {
      const first = [...ids.keys()].filter((data) => channels[Number(data) % 4] === channel).map(Number);
      expect(first).toEqual(first.toSorted((a, b) => a - b));
    }
    await delivered(second);
    const { body } = await request(third.broker, 'GET', '/webhook_events', { query: { limit: '1000' } });
    const log = readEvents((body as { events: unknown }).events);
    expect(log.map(({ seq }) => seq)).toEqual(Array.from({ length: 500 }, (_, n) => n + 1));
    expect(new Map(log.map(({ data, id }) => [data, id]))).toEqual(ids);
  });

  test.each(['the leader', 'another node'])(
    'the clients of %s that is killed leave once',
    async (which) => {
      const receiver = await startReceiver();
      const { leader, second, third } = await startNodes(receiver);
      const [dead, alive] = which === 'the leader' ? [leader, second] : [second, leader];
      const members: TestClient[] = [];
      for (let n = 0; n < 20; n += 1) {
        const client = await connect(dead.broker);
        await client.join(`presence-${n % 2}`, { user_id: `user-${n}` });
        members.push(client);
      }
      const stays = await connect(alive.broker);
      await stays.join('presence-0', { user_id: 'user-0' });
      await eventually(() => expect(receiver.posted).toHaveLength(22));
      await dead.end('SIGKILL');
      const back = await connect(third.broker);
      await back.join('presence-1', { user_id: 'user-1' });

      await eventually(() => expect(receiver.posted.length).toBeGreaterThanOrEqual(22 + 18));
      await (await connect(third.broker)).join('private-marker');
      await receiver.until(({ events }) => events.some(({ channel }) => channel === 'private-marker'));
      const gone = receiver.posted.slice(22).flatMap(({ events }) => events.map(told));
      expect(gone.slice(0, -1).toSorted()).toEqual(
        Array.from({ length: 18 }, (_, n) => `member_removed presence-${n % 2} user-${n + 2}`).toSorted(),
      );
      const after = receiver.posted.slice(22).flatMap(({ events }) => events);
      expect(new Set(after.map(({ id }) => id)).size).toBe(19);
    },
    40_000,
  );

  test('a pending removal of a leader that dies is delivered by the next leader', async () => {
    const receiver = await startReceiver();
    const { leader, second } = await startNodes(receiver, {
      webhookGraceSeconds: 3,
      webhookRestartGraceSeconds: 3600,
    });
    const ann = await connect(second.broker);
    await ann.join('private-a');
    expect(await receiver.nextEvent()).toMatchObject({ name: 'channel_occupied' });
    ann.unsubscribe('private-a');
    await ann.nothing();
    await delivered(second);
    await leader.end('SIGKILL');
    expect(await receiver.nextEvent()).toMatchObject({ name: 'channel_vacated', seq: 2 });
  });

  test('clients of a node that ends have the restart delay to come back to another node', async () => {
    const receiver = await startReceiver();
    const { leader, second } = await startNodes(receiver, {
      webhookGraceSeconds: 0,
      webhookRestartGraceSeconds: 4,
    });
    for (const name of ['ann', 'bob']) {
      await (await connect(leader.broker)).join('presence-room', { user_id: name });
    }
    await leader.end('SIGTERM');
    await (await connect(second.broker)).join('presence-room', { user_id: 'ann' });
    const events = await receiver.eventsUntil(({ name }) => name === 'member_removed');
    expect(events.map(told)).toEqual([
      'channel_occupied presence-room',
      'member_added presence-room ann',
      'member_added presence-room bob',
      'member_removed presence-room bob',
    ]);
  });

  test('all nodes end and another begins: it goes on where they were', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(500);
    const { leader, second, third, config } = await startNodes(receiver, { webhookRestartGraceSeconds: 1 });
    await (await connect(third.broker)).join('private-a');
    const { id } = await receiver.nextEvent();
    for (const node of [leader, second, third]) await node.end('SIGTERM');
    receiver.reply = (response) => void response.writeHead(204).end();
    await MortalBroker.start(config);
    const events = await receiver.eventsUntil(({ name }) => name === 'channel_vacated');
    expect(
      new Set(events.filter(({ name }) => name === 'channel_occupied').map((event) => event.id)),
    ).toEqual(new Set([id]));
    expect(events.at(-1)).toMatchObject({ channel: 'private-a', seq: 2 });
  });

  test('a leader that is cut off is replaced, and delivers nothing when it is back', async () => {
    const receiver = await startReceiver();
    const valve = await Valve.open(redis.port);
    onTestFinished(() => valve.close());
    const { leader, second, third } = await startNodes(receiver, {
      leaderUrl: `redis://127.0.0.1:${valve.port}`,
      webhookGraceSeconds: 0,
    });
    const ann = await connect(leader.broker);
    await ann.join('presence-room', { user_id: 'ann' });
    const bob = await connect(second.broker);
    await bob.join('presence-room', { user_id: 'bob' });
    for (let events = 0; events < 3; events += 1) await receiver.nextEvent();
    await delivered(leader);

    valve.shut();
    await (await connect(third.broker)).join('private-a');
    const meanwhile = [await receiver.nextEvent(), await receiver.nextEvent()];
    expect(meanwhile.map(told).toSorted()).toEqual([
      'channel_occupied private-a',
      'member_removed presence-room ann',
    ]);
    valve.reopen();
    expect(told(await receiver.nextEvent())).toBe('member_added presence-room ann');
    ann.close();
    expect(told(await receiver.nextEvent())).toBe('member_removed presence-room ann');
    await delivered(leader);
    const events = receiver.posted.flatMap((posted) => posted.events);
    expect(events.map((event) => `${event.seq} ${told(event)}`)).toEqual([
      '1 channel_occupied presence-room',
      '2 member_added presence-room ann',
      '3 member_added presence-room bob',
      '4 channel_occupied private-a',
      '5 member_removed presence-room ann',
      '6 member_added presence-room ann',
      '7 member_removed presence-room ann',
    ]);
  });

  test('a thousand members come and go while a node is killed: what each did pairs up', async () => {
    const receiver = await startReceiver();
    const { leader, second, third } = await startNodes(receiver, {
      hook: { events: ['member_added', 'member_removed'], maxEvents: 50 },
    });
    const come = async (n: number, { broker }: MortalBroker) => {
      const client = await connect(broker);
      // A node that is busy refuses for the moment, and clients ask again.
      await eventually(async () => {
        expect(await client.join(`presence-${n % 20}`, { user_id: `user-${n}` })).toContain('succeeded');
      });
      return client;
    };
    const numbers = Array.from({ length: 1000 }, (_, n) => n);
    const clients = new Map<number, TestClient>();
    const nodes = [leader, second, third];
    for (let from = 0; from < numbers.length; from += 100) {
      const slice = numbers.slice(from, from + 100);
      await Promise.all(slice.map(async (n) => clients.set(n, await come(n, nodes[n % 3]!))));
      if (from === 500) await leader.end('SIGKILL');
      if (from >= 500) nodes[0] = second;
      // A third of them goes to another node, and a third leaves and stays away.
      await Promise.all(
        slice.map(async (n) => {
          if (n % 3 !== 0) clients.get(n)?.close();
          if (n % 3 === 1) clients.set(n, await come(n, third));
        }),
      );
    }
    await eventually(() => {
      const members = new Set(receiver.posted.flatMap(({ events }) => events.map(({ user_id }) => user_id)));
      expect(members.size).toBe(1000);
    });
    for (const client of clients.values()) client.close();

    const told = () => {
      const told = new Map<unknown, string[]>();
      const seen = new Set<string>();
      for (const { id, name, user_id } of receiver.posted.flatMap(({ events }) => events)) {
        if (!seen.has(id)) told.set(user_id, [...(told.get(user_id) ?? []), name]);
        seen.add(id);
      }
      return told;
    };
    // A departure whose answer from Redis was lost is found by the comparison with the roster, once a minute.
    await eventually(() => {
      expect([...told().values()].filter((names) => names.at(-1) !== 'member_removed')).toEqual([]);
    }, 90_000);
    for (const names of told().values()) {
      expect(names).toEqual(names.map((_, at) => (at % 2 === 0 ? 'member_added' : 'member_removed')));
    }
  }, 200_000);
});

describe.skipIf(!hasRedis)('while Redis is down', () => {
  test('what comes and goes waits for it', async () => {
    const redis = await RedisServer.start(['--appendonly', 'yes']);
    onTestFinished(() => redis.stop());
    const receiver = await startReceiver();
    const broker = await MortalBroker.start({
      host: '127.0.0.1',
      port: 0,
      drainWindowSeconds: 0,
      redis: { url: redis.url },
      nodeTimeoutSeconds: NODE_TIMEOUT_SECONDS,
      webhookGraceSeconds: 1,
      webhookRestartGraceSeconds: 1,
      apps: [
        {
          id: APP.id,
          keys: [{ key: APP.key, secret: APP.secret }],
          webhooks: [{ url: receiver.url(), events: EVENTS }],
        },
      ],
    });
    const ann = await connect(broker.broker);
    await ann.join('private-a');
    await ann.join('private-b');
    expect(await receiver.nextEvent()).toMatchObject({ channel: 'private-a' });
    expect(await receiver.nextEvent()).toMatchObject({ channel: 'private-b' });
    await delivered(broker);
    await redis.kill();
    ann.unsubscribe('private-a');
    expect(await request(broker.broker, 'GET', '/webhooks')).toMatchObject({ status: 503 });
    await redis.start();
    const bob = await connect(broker.broker);
    await eventually(async () => {
      expect(await bob.join('private-c')).toContain('subscription_succeeded');
    });
    const events = await receiver.eventsUntil(({ channel }) => channel === 'private-c');
    if (!events.some(({ channel }) => channel === 'private-a')) events.push(await receiver.nextEvent());
    expect(events.map(told).toSorted()).toEqual(['channel_occupied private-c', 'channel_vacated private-a']);
  });
});

test.skipIf(!hasRedis)(
  'on a Redis Cluster everything of webhooks is in one place',
  async () => {
    const cluster = await RedisCluster.start();
    onTestFinished(() => cluster.stop());
    const receiver = await startReceiver();
    const config = {
      host: '127.0.0.1',
      port: 0,
      drainWindowSeconds: 0,
      redis: { cluster: { nodes: cluster.urls } },
      webhookGraceSeconds: 0,
      apps: [
        {
          id: APP.id,
          keys: [{ key: APP.key, secret: APP.secret }],
          webhooks: [{ url: receiver.url(), events: EVENTS }],
        },
      ],
    };
    const [first, second] = await Promise.all([MortalBroker.start(config), MortalBroker.start(config)]);
    const ann = await connect(first.broker);
    await ann.join('private-a');
    expect(told(await receiver.nextEvent())).toBe('channel_occupied private-a');
    ann.close();
    expect(told(await receiver.nextEvent())).toBe('channel_vacated private-a');
    await delivered(first);
    await delivered(second);
  },
  40_000,
);
