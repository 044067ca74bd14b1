/** What apps are billed by: a known load, compared with what the rows say, in one process, with workers and over nodes. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { publishTo, request } from '../helpers/api.ts';
import { type Cli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { open } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { hasUsed, MeteredClient, publishSome, rowsOf, sumOf } from '../helpers/usage.ts';

/** Several processes start one after the other. */
vi.setConfig({ testTimeout: 120_000 });

const APPS = [APP, OTHER_APP].map(({ id, key, secret }) => ({ id, keys: [{ key, secret }] }));
const MASTER_KEY = Buffer.alloc(32, 'a key of tests').toString('base64');
const ENV = { COUNTERSIGN_ADMIN_TOKEN: OWNER };

interface Node {
  readonly cli: Cli;
  readonly url: string;
}

async function startNode(config: object, ...flags: string[]): Promise<Node> {
  const admin = { masterKey: MASTER_KEY };
  const file = await fileWith({ port: 0, drainWindowSeconds: 0, apps: APPS, admin, ...config });
  const cli = startCli(['start', '--config', file, ...flags], { env: ENV });
  const { port } = await cli.logged(flags.length > 0 ? 'all workers listen' : 'listening');
  return { cli, url: `http://127.0.0.1:${port}` };
}

/** Publishes to two apps on some nodes, and answers what each app must have used. */
async function load(nodes: readonly Node[]) {
  const used = new Map<
    string,
    { messages_published: number; messages_delivered: number; bytes_in: number }
  >();
  const clients: MeteredClient[] = [];
  for (const [index, app] of [APP, OTHER_APP].entries()) {
    const own = await Promise.all(
      [...nodes, ...nodes].map(async (node) => {
        const client = await MeteredClient.connect(node, app);
        await client.join('news');
        return client;
      }),
    );
    let bytes = 0;
    for (const node of nodes) bytes += await publishSome(node, 10 + index, own[0]!, app);
    const published = nodes.length * (10 + index);
    await eventually(() => expect(own.map(({ events }) => events)).toEqual(own.map(() => published)));
    used.set(app.id, {
      messages_published: published,
      messages_delivered: published * own.length,
      bytes_in: bytes + own.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
    });
    clients.push(...own);
  }
  return { used, clients };
}

test('each field counts what it says, and the sums of all units are the same', async () => {
  const receiver = await startReceiver();
  const refused: unknown[] = [];
  receiver.reply = (response, posted) => {
    const isFirst = refused.push(posted) === 1;
    status(isFirst ? 500 : 204)(response, posted);
  };
  const broker = await startServer({
    config: { admin: { token: OWNER }, webhookGraceSeconds: 0 },
    app: {
      history: [{ channels: 'kept-*', seconds: 600, messages: 10 }],
      webhooks: [{ url: receiver.url(), events: ['channel_occupied'] }],
      limits: { clientEventsPerSecond: 5 },
    },
  });
  const client = await MeteredClient.connect(broker);
  const other = await MeteredClient.connect(broker);
  await client.join('presence-room', { user_id: 'ann' });
  await other.join('presence-room', { user_id: 'bob' });
  await client.client.until((received) => String(received).includes('member_added'));
  await client.join('news');
  const bytes = await publishSome(broker, 7, client);
  const twice = { name: 'e', data: '"kept"', channels: ['news', 'kept-one'] };
  await publishTo(broker, twice.channels, twice.name, twice.data);
  // Published once, however often it is asked for.
  const keyed = { name: 'e', data: '"once"', channel: 'nobody', idempotency_key: 'one' };
  for (const _ of [1, 2])
    expect(await request(broker, 'POST', '/events', { body: keyed })).toMatchObject({ status: 200 });
  client.client.trigger('presence-room', 'client-hello', 'hello');
  await other.client.until((received) => String(received).includes('client-hello'));

  // Refused: a client event, a subscription, a sign-in, two requests, and two handshakes.
  client.client.trigger('nowhere', 'client-hello', 'hello');
  client.client.subscribe('private-room', { auth: 'wrong' });
  client.client.send({ event: 'pusher:signin', data: { auth: 'wrong', user_data: '{}' } });
  let errors = 0;
  await client.client.until((received) => {
    if (/^\{"event":"pusher[^"]*error"/.test(String(received))) errors += 1;
    return errors === 3;
  });
  expect(await request(broker, 'POST', '/events', { body: { name: 'e' } })).toMatchObject({ status: 400 });
  expect(
    await request(broker, 'GET', '/channels', { app: { ...APP, secret: 'another secret' } }),
  ).toMatchObject({ status: 401 });
  await open(broker, `/app/${APP.key}?protocol=99`).closed();
  await open(broker, `/app/${APP.key}`).closed();
  // Peaks are those of looks that are a second apart.
  await eventually(async () => {
    const [row] = await rowsOf(broker, 'day', APP.id);
    expect(row).toMatchObject({ connections_peak: 2, presence_members_peak: 2, complete: false });
  });
  other.client.close();
  await client.client.until((received) => String(received).includes('member_removed'));

  await hasUsed(broker, APP.id, {
    messages_published: 7 + 2 + 1,
    messages_delivered: 7 + 1 + 1,
    client_events: 1,
    refused: 7,
    // Three channels were occupied; one delivery was refused before it was taken.
    webhooks_sent: 2,
    webhooks_failed: 1,
    bytes_in:
      bytes +
      Buffer.byteLength(JSON.stringify(twice)) +
      2 * Buffer.byteLength(JSON.stringify(keyed)) +
      client.bytesSent +
      other.bytesSent,
    bytes_out: client.bytesReceived + other.bytesReceived,
  });
  const [row] = await rowsOf(broker, 'day', APP.id);
  expect(row?.['history_bytes_peak']).toBeGreaterThan(0);
  expect(row?.['connection_minutes']).toBeGreaterThan(0);
  // Nobody has used the other app.
  expect(await rowsOf(broker, 'day', OTHER_APP.id)).toEqual([]);
});

test('connection minutes are the time for which connections were open', async () => {
  const broker = await startServer({ config: { admin: { token: OWNER } } });
  const began = performance.now();
  const client = await MeteredClient.connect(broker);
  const opened = performance.now();
  const minutes = async () => sumOf(await rowsOf(broker, 'minute', APP.id), 'connection_minutes');
  await eventually(async () => expect(await minutes()).toBeGreaterThan(2 / 60));
  client.client.close();
  const closing = performance.now();
  await eventually(async () => {
    const { body } = await admin(broker, 'GET', `/apps/${APP.id}/stats`);
    expect(body.connections).toBe(0);
  });
  const closed = performance.now();
  await eventually(async () =>
    expect(await minutes()).toBeGreaterThanOrEqual((closing - opened - 2) / 60_000),
  );
  expect(await minutes()).toBeLessThanOrEqual((closed - began) / 60_000);
});

/** A broker on the same place that takes the present minute to be over. */
function startLater(config: object) {
  return startServer({
    config: { ...config, admin: { token: OWNER, masterKey: MASTER_KEY } },
    parts: { now: () => Date.now() + 180_000 },
  });
}

/** The minutes of the test, as they stand once they are over: whether nothing is missing, by app. */
async function completeness(broker: { readonly url: string }): Promise<ReadonlyMap<string, boolean>> {
  const rows = await rowsOf(broker, 'minute');
  const apps = new Set(rows.map(({ app }) => app));
  return new Map(
    [...apps].map((app) => [app, rows.filter((row) => row.app === app).every(({ complete }) => complete)]),
  );
}

test('workers: the sums of all of them, also after a restart, and exactly once', async () => {
  const data = newFolder();
  const node = await startNode({ data }, '--workers', '2');
  const { used, clients } = await load([node]);
  // Peaks are those of looks that are a second apart.
  await eventually(async () => {
    const peaks = (await rowsOf(node, 'day')).map((row) => row['connections_peak']);
    expect(peaks).toEqual([2, 2]);
  });
  // What a graceful end counts last is written, too.
  node.cli.signal('SIGTERM');
  expect((await node.cli.result()).code).toBe(0);
  const later = await startLater({ data });
  for (const [app, sums] of used) await hasUsed(later, app, sums);
  const rows = await rowsOf(later, 'day');
  expect(rows.map(({ app }) => app)).toEqual([APP.id, OTHER_APP.id].sort());
  expect(rows.map((row) => row['connections_peak'])).toEqual([2, 2]);
  expect(sumOf(rows, 'bytes_out')).toBe(clients.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0));
  expect([...(await completeness(later)).values()]).toEqual([true, true]);
});

test('a killed worker misses its last second at most, and its rows say so', async () => {
  const data = newFolder();
  const node = await startNode({ data, log: { level: 'debug' } }, '--workers', '2');
  const client = await MeteredClient.connect(node);
  await client.join('news');
  await publishSome(node, 5, client);
  await hasUsed(node, APP.id, { messages_published: 5, messages_delivered: 5 });
  const { pid } = JSON.parse(await node.cli.line(`"socketId":"${client.client.socketId}"`));
  process.kill(pid, 'SIGKILL');
  await node.cli.logged('worker replaced');
  node.cli.signal('SIGTERM');
  await node.cli.result();
  const later = await startLater({ data });
  await hasUsed(later, APP.id, { messages_published: 5, messages_delivered: 5 });
  expect((await completeness(later)).get(APP.id)).toBe(false);
});

test('a node that was killed has incomplete rows once it runs again', async () => {
  const data = newFolder();
  const node = await startNode({ data });
  const client = await MeteredClient.connect(node);
  await client.join('news');
  await publishSome(node, 5, client);
  await hasUsed(node, APP.id, { messages_delivered: 5 });
  await node.cli.kill();
  const later = await startLater({ data });
  await hasUsed(later, APP.id, { messages_published: 5, messages_delivered: 5 });
  expect((await completeness(later)).get(APP.id)).toBe(false);
});

describe.skipIf(!hasRedis)('nodes on Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test('are counted as one: exact sums, peaks of all together, and who was killed counts once and is missed', async () => {
    const config = { redis: { url: redis.url }, nodeTimeoutSeconds: 10 };
    const [first, killed, third] = await Promise.all([
      startNode(config),
      startNode(config),
      startNode(config, '--workers', '2'),
    ]);
    const { used } = await load([first, killed, third]);
    for (const node of [first, killed, third]) {
      for (const [app, sums] of used) await hasUsed(node, app, sums);
    }
    for (const row of await rowsOf(first, 'day')) expect(row).toMatchObject({ connections_peak: 6 });
    const later = await startLater(config);
    expect([...(await completeness(later)).values()]).toEqual([true, true]);

    await killed.cli.kill();
    await eventually(
      async () => expect([...(await completeness(later)).values()]).toEqual([false, false]),
      30_000,
    );
    for (const [app, sums] of used) await hasUsed(first, app, sums);
  });
});
