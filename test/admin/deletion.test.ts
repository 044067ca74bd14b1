/** An app that is deleted leaves nothing: whoever makes one with its id and keys again begins with nothing. */
import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test, vi } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { publish, request } from '../helpers/api.ts';
import { startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { startNodeOn } from '../helpers/brokers/configured-node.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { read } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

/** Several processes start one after the other. */
vi.setConfig({ testTimeout: 90_000 });

const ENV = { COUNTERSIGN_ADMIN_TOKEN: OWNER };
const SHOP = { id: 'shop', key: 'a-key-of-the-shop', secret: 'r7Kd0m2Wc9Xq4Lz8Tn1Vb6Yp3Hs5Jf-Gu_EoAiQwRtM' };
const APP = {
  id: SHOP.id,
  keys: [{ key: SHOP.key, secret: SHOP.secret }],
  history: [{ channels: 'news', seconds: 600, messages: 10 }],
  webhooks: [{ id: 'backend', url: 'http://127.0.0.1:9/', events: ['channel_occupied'] }],
};
const app = SHOP;

interface Running {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

async function startNode(data: string) {
  const cli = startCli(['start', '--config', await fileWith({ port: 0, drainWindowSeconds: 0, data })], {
    env: ENV,
  });
  const { port } = await cli.logged('listening');
  return { cli, host: '127.0.0.1', port: Number(port), url: `http://127.0.0.1:${port}` };
}

async function make(broker: Running): Promise<void> {
  expect(await admin(broker, 'POST', '/apps', { body: APP })).toMatchObject({ status: 201 });
}

/** Leaves something of each kind, and resolves with a client that is still there. */
async function leaveTraces(broker: Running) {
  expect(await request(broker, 'POST', '/webhooks/backend/pause', { app })).toMatchObject({ status: 200 });
  const client = await connect(broker, SHOP);
  client.subscribe('cache-room');
  await client.until((received) => String(received).includes('cache_miss'));
  await publish(broker, 'cache-room', 'e', '1', {}, app);
  await publish(broker, 'news', 'e', '1', {}, app);
  const block = { reason: 'Banned', block: 600 };
  const blocked = await request(broker, 'POST', '/users/eve/terminate_connections', { body: block, app });
  expect(blocked.status).toBe(200);
  return client;
}

async function hasNothing(broker: Running): Promise<void> {
  const ask = async (path: string) => (await request(broker, 'GET', path, { app })).body;
  expect(await ask('/channels/news/events')).toMatchObject({ events: [] });
  expect(await ask('/webhook_events')).toMatchObject({ events: [], last_seq: 0 });
  expect(await ask('/webhooks')).toMatchObject({
    webhooks: [{ id: 'backend', state: 'active', deliveries: { pending: 0, failing: 0, dead: 0 } }],
  });
  const client = await connect(broker, SHOP);
  expect(read(await client.signIn({ id: 'eve' }))).toMatchObject({ event: 'pusher:signin_success' });
  client.subscribe('cache-room');
  const received = await client.until((each) => /cache_miss|"event":"e"/.test(String(each)));
  expect(received.at(-1)).toContain('cache_miss');
  // The first event of the new app: nobody remembers that the channel was occupied before.
  await eventually(async () => expect(await ask('/webhook_events')).toMatchObject({ last_seq: 1 }));
}

test('one process forgets all of it, also if it is killed right after the answer', async () => {
  const data = newFolder();
  const node = await startNode(data);
  await make(node);
  const client = await leaveTraces(node);
  expect((await admin(node, 'DELETE', '/apps/shop?dry_run=true')).body).toEqual({
    dry_run: true,
    connections: 1,
    channels: 1,
    keys: 1,
    webhooks: 1,
    deliveries_pending: 1,
    history_bytes: expect.any(Number),
  });
  expect((await admin(node, 'DELETE', '/apps/shop?dry_run=true')).body.history_bytes).toBeGreaterThan(0);
  expect((await admin(node, 'DELETE', '/apps/shop')).status).toBe(204);
  expect(await client.closed()).toMatchObject({ code: 4001 });
  await make(node);
  await hasNothing(node);

  await leaveTraces(node);
  expect((await admin(node, 'DELETE', '/apps/shop')).status).toBe(204);
  node.cli.signal('SIGKILL');
  await node.cli.result();
  const next = await startNode(data);
  await make(next);
  await hasNothing(next);
});

test('workers forget all of it', async () => {
  const group = await startWorkers({ config: { data: newFolder() }, env: ENV });
  await make(group);
  const client = await leaveTraces(group);
  const wouldEnd = await admin(group, 'DELETE', '/apps/shop?dry_run=true');
  expect(wouldEnd.body).toMatchObject({ connections: 1, channels: 1, deliveries_pending: 1 });
  expect(wouldEnd.body.history_bytes).toBeGreaterThan(0);
  expect((await admin(group, 'DELETE', '/apps/shop')).status).toBe(204);
  expect(await client.closed()).toMatchObject({ code: 4001 });
  await make(group);
  await hasNothing(group);
});

test.skipIf(!hasRedis)(
  'the nodes of a cluster forget all of it, also what one of them has kept',
  async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const env = { ...ENV, COUNTERSIGN_ADMIN__MASTER_KEY: randomBytes(32).toString('base64') };
    const start = () => startNodeOn({ url: redis.url, prefix: 'test' }, { env });
    const [one, two] = [await start(), await start()];
    const isThere = (status: number) =>
      expect.poll(async () => (await admin(two, 'GET', '/apps/shop')).status).toBe(status);
    await make(one);
    await isThere(200);
    const client = await leaveTraces(two);
    const published = { name: 'e', channels: ['news'], data: '1', idempotency_key: 'once' };
    expect((await request(two, 'POST', '/events', { body: published, app })).status).toBe(200);
    const wouldEnd = async () => (await admin(one, 'DELETE', '/apps/shop?dry_run=true')).body;
    await expect.poll(async () => (await wouldEnd()).history_bytes).toBeGreaterThan(0);
    expect(await wouldEnd()).toMatchObject({
      connections: 1,
      channels: 1,
      deliveries_pending: 1,
    });
    expect((await admin(one, 'DELETE', '/apps/shop')).status).toBe(204);
    expect(await client.closed()).toMatchObject({ code: 4001 });
    await isThere(404);
    await make(one);
    await isThere(200);
    await hasNothing(two);
    // The same request is another one for the new app.
    await request(one, 'POST', '/events', { body: { ...published, data: '2' }, app });
    const { body } = await request(two, 'GET', '/channels/news/events', { app });
    expect(body).toMatchObject({ events: [{ data: '2' }] });
  },
);
