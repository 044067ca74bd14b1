/** Quotas: what is refused past them, what is warned of, over all processes and nodes. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { publish, request } from '../helpers/api.ts';
import { type Cli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { hasUsed } from '../helpers/usage.ts';

vi.setConfig({ testTimeout: 120_000 });

const MASTER_KEY = Buffer.alloc(32, 'a key of tests').toString('base64');
const to = (channels: readonly string[]) => ({ body: { name: 'e', data: '1', channels } });

test('a publish that would pass the quota of the day is refused whole, as client events are', async () => {
  const broker = await startServer({ limits: { messagesPerDay: 5 }, config: { admin: { token: OWNER } } });
  const client = await connect(broker);
  await client.join('private-room');
  expect(await request(broker, 'POST', '/events', to(['a', 'b', 'c']))).toMatchObject({ status: 200 });
  const refused = { status: 403, body: { code: 'quota_exceeded' } };
  expect(await request(broker, 'POST', '/events', to(['a', 'private-room', 'c']))).toMatchObject(refused);
  const batch = ['a', 'b', 'c'].map((channel) => ({ name: 'e', data: '1', channel }));
  expect(await request(broker, 'POST', '/batch_events', { body: { batch } })).toMatchObject(refused);
  client.trigger('private-room', 'client-hello', 'hello');
  expect(await client.nothing()).toEqual([]);
  expect(await request(broker, 'POST', '/events', to(['a']))).toMatchObject({ status: 200 });
  client.trigger('private-room', 'client-hello', 'hello');
  expect(await client.nextMessage()).toMatchObject({
    event: 'pusher:error',
    data: { code: 4301, error_code: 'quota_exceeded' },
  });
  expect(await client.nothing()).toEqual([]);
  await hasUsed(broker, APP.id, { messages_published: 4, client_events: 1 });
  await eventually(async () => {
    const { body } = await admin(broker, 'GET', `/apps/${APP.id}/stats`);
    expect(body.limits.messagesPerDay).toEqual({ limit: 5, used: 5, ratio: 1 });
    expect(body.limits.connectionMinutesPerMonth).toEqual({ limit: null, used: 0, ratio: null });
  });
});

test('the next day begins with nothing used', async () => {
  let now = Date.now();
  const broker = await startServer({ limits: { messagesPerDay: 1 }, parts: { now: () => now } });
  await publish(broker, 'news', 'e', '1');
  expect(await request(broker, 'POST', '/events', to(['a']))).toMatchObject({ status: 403 });
  now += 86_400_000;
  const query = { auth_timestamp: String(Math.floor(now / 1000)) };
  await eventually(async () =>
    expect(await request(broker, 'POST', '/events', { ...to(['a']), query })).toMatchObject({ status: 200 }),
  );
});

test('past the connection minutes of a month new connections are refused, and the open ones stay', async () => {
  const data = newFolder();
  const limits = { connectionMinutesPerMonth: 1 };
  let ahead = 0;
  const broker = await startServer({
    limits,
    config: { data, activityTimeoutSeconds: 600 },
    parts: { monotonic: () => performance.now() + ahead },
  });
  const client = await connect(broker);
  ahead = 61_000;
  const late = open(broker);
  expect(await late.closed()).toMatchObject({ code: 4004 });
  expect(await client.nothing()).toEqual([]);
  await broker.close();
  // A restart does not give them back.
  const again = await startServer({ limits, config: { data } });
  expect(await open(again).closed()).toMatchObject({ code: 4004 });
});

test('80 % of a quota is warned of once, also over a restart', async () => {
  const receiver = await startReceiver();
  const data = newFolder();
  const settings = {
    config: { data },
    app: { webhooks: [{ url: receiver.url(), events: ['quota_warning', 'channel_occupied'] }] },
    limits: { messagesPerDay: 10 },
  };
  const app = { ...settings.app, limits: settings.limits };
  const broker = await startServer({ config: settings.config, app });
  for (let i = 0; i < 8; i += 1) await publish(broker, 'news', 'e', '1');
  const warning = await receiver.nextEvent();
  expect(warning).toMatchObject({
    name: 'quota_warning',
    channel: '',
    quota: 'messagesPerDay',
    limit: 10,
    used: 8,
    ratio: 0.8,
    resets_at: Math.floor(Date.now() / 86_400_000 + 1) * 86_400,
  });
  await publish(broker, 'news', 'e', '1');
  await broker.close();
  const again = await startServer({ config: settings.config, app });
  await publish(again, 'news', 'e', '1');
  expect(await request(again, 'POST', '/events', to(['a']))).toMatchObject({ status: 403 });
  const client = await connect(again);
  await client.join('private-room');
  expect(await receiver.nextEvent()).toMatchObject({ name: 'channel_occupied' });
});

describe.skipIf(!hasRedis)('over processes and nodes', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  async function startNode(...flags: string[]): Promise<{ readonly cli: Cli; readonly url: string }> {
    const file = await fileWith({
      port: 0,
      drainWindowSeconds: 0,
      redis: { url: redis.url },
      nodeTimeoutSeconds: 10,
      admin: { masterKey: MASTER_KEY },
      apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], limits: { messagesPerDay: 20 } }],
    });
    const cli = startCli(['start', '--config', file, ...flags], { env: { COUNTERSIGN_ADMIN_TOKEN: OWNER } });
    const { port } = await cli.logged(flags.length > 0 ? 'all workers listen' : 'listening');
    return { cli, url: `http://127.0.0.1:${port}` };
  }

  test('a quota is one, and a node that starts knows what is used', async () => {
    const [one, two] = await Promise.all([startNode(), startNode('--workers', '2')]);
    for (let i = 0; i < 10; i += 1) await publish(one, 'news', 'e', '1');
    for (let i = 0; i < 10; i += 1) await publish(two, 'news', 'e', '1');
    for (const node of [one, two]) {
      await eventually(async () =>
        expect(await request(node, 'POST', '/events', to(['not-more']))).toMatchObject({ status: 403 }),
      );
    }
    const three = await startNode('--workers', '2');
    expect(await request(three, 'POST', '/events', to(['a']))).toMatchObject({ status: 403 });
  });
});
