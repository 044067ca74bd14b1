import { pino } from 'pino';
import { createClient } from 'redis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { scripts } from '#server/adapter/redis/scripts';
import { connectRedis } from '#server/redis/connect';
import { ReconnectingClient } from '#server/redis/reconnecting-client';
import { ScriptRunner } from '#server/redis/script-runner';
import { redisSchema } from '#server/redis/settings';
import { publish } from '../helpers/api.ts';
import type { Cli } from '../helpers/brokers/cli.ts';
import { type ConfiguredNode, startNodeOn } from '../helpers/brokers/configured-node.ts';
import { OUT_OF_REACH } from '../helpers/brokers/running-node.ts';
import { APP } from '../helpers/brokers/server.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';
import { documentedPermissions } from '../helpers/redis/documented-acl.ts';
import { freePort, hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { ReplicatedCluster, WatchedMaster } from '../helpers/redis/replicas.ts';

const PREFIX = 'test';
const LINKS = ['commands', 'messages', 'webhook messages', 'webhooks'];
const CLIENTS = LINKS.map((link) => `countersign-${link.replace(' ', '-')}`);

/** The log lines with this message, by link. */
function told(cli: Cli, message: string) {
  return cli.stdout
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line) => JSON.parse(line) as { link: string; server: string; reason?: string })
    .map(({ link, server, reason }) => ({ link, server, reason }))
    .sort((a, b) => a.link.localeCompare(b.link));
}

const ofEach = (server: string, reason?: unknown) => LINKS.map((link) => ({ link, server, reason }));

const addressOf = ({ port }: RedisServer) => `127.0.0.1:${port}`;

async function expectReady(node: ConfiguredNode): Promise<void> {
  await eventually(async () => expect(await node.ready()).toEqual({ status: 'ready' }));
}

/** A connection to a server that the tests below do not close. */
async function adminOf(server: RedisServer) {
  await server.command('ACL', 'SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all');
  const admin = createClient({ url: server.url.replace('://', '://admin:admin@') });
  admin.on('error', () => {});
  await admin.connect();
  onTestFinished(() => admin.destroy());
  return admin;
}

/** Waits until a server has accepted this many more connections. */
async function attempts(admin: Awaited<ReturnType<typeof adminOf>>, atLeast: number): Promise<void> {
  const count = async () => Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1]);
  const before = await count();
  await eventually(async () => expect(await count()).toBeGreaterThanOrEqual(before + atLeast));
}

describe.skipIf(!hasRedis)('connections to Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeEach(async () => {
    redis = await RedisServer.start();
  });
  afterEach(() => redis.stop());

  const allow = (...permissions: readonly string[]) =>
    redis.command('ACL', 'SETUSER', 'broker', 'on', '>hush', ...permissions);
  const asBroker = () => redis.url.replace('://', '://broker:hush@');

  async function clientNames(): Promise<string[]> {
    const list = String(await redis.command('CLIENT', 'LIST'));
    return [...list.matchAll(/ name=(countersign\S+)/g)].map(([, name = '']) => name).sort();
  }

  test('log once that a password is missing, and name their connections when it is right', async () => {
    const admin = await adminOf(redis);
    await admin.configSet('requirepass', 'hush');
    const node = await startNodeOn({ url: redis.url });
    const reason = 'NOAUTH Authentication required.';
    expect(await node.ready()).toEqual({ status: 'degraded', reason: OUT_OF_REACH });
    await attempts(admin, 3 * LINKS.length);
    expect(told(node.cli, 'redis not reached')).toEqual(ofEach(addressOf(redis), reason));
    expect(told(node.cli, 'redis connected')).toEqual([]);

    await admin.configSet('requirepass', '');
    await expectReady(node);
    expect(await clientNames()).toEqual(CLIENTS);
    expect(told(node.cli, 'redis connected')).toEqual(ofEach(addressOf(redis)));
    expect(told(node.cli, 'redis lost')).toEqual([]);
  });

  test('that break as soon as they are made are logged once, and again when they are stable', async () => {
    await allow('resetchannels', `~${PREFIX}:*`, '+@all', '-eval', '-evalsha');
    const node = await startNodeOn({ url: asBroker(), prefix: PREFIX });
    const reason = expect.stringContaining('NOPERM');
    await eventually(() => expect(told(node.cli, 'redis lost')).toHaveLength(LINKS.length));
    await attempts(await adminOf(redis), 3 * LINKS.length);
    expect(told(node.cli, 'redis connected')).toEqual(ofEach(addressOf(redis)));
    expect(told(node.cli, 'redis lost')).toEqual(ofEach(addressOf(redis), reason));

    await allow(...documentedPermissions('server', PREFIX));
    await expectReady(node);
    await eventually(() => expect(told(node.cli, 'redis connected')).toHaveLength(2 * LINKS.length));
  });

  test('log the master that a sentinel names, and the sentinel when it names none', async () => {
    const watched = await WatchedMaster.start();
    onTestFinished(() => watched.stop());
    const settings = watched.settings();
    const node = await startNodeOn({ sentinel: settings });
    await expectReady(node);
    expect(told(node.cli, 'redis connected')).toEqual(ofEach(addressOf(watched.master)));
    await watched.master.kill();
    await eventually(() => expect(told(node.cli, 'redis lost')).toHaveLength(LINKS.length));
    expect(told(node.cli, 'redis lost').map(({ server }) => server)).toEqual(
      LINKS.map(() => addressOf(watched.master)),
    );

    const lost = await startNodeOn({ sentinel: { ...settings, name: 'other' } });
    const reason = 'The sentinels know no server called "other"';
    const sentinel = settings.nodes.at(-1)!.replace('redis://', '');
    expect(told(lost.cli, 'redis not reached')).toEqual(ofEach(sentinel, reason));
  });

  test('log once that a password of a cluster is missing', async () => {
    const cluster = await ReplicatedCluster.start();
    onTestFinished(() => cluster.stop());
    const admins = await Promise.all(cluster.servers.map(adminOf));
    const ask = (password: string) =>
      Promise.all(admins.map((admin) => admin.configSet('requirepass', password)));
    await ask('hush');
    const node = await startNodeOn({ cluster: { nodes: cluster.urls } });
    const reason = 'NOAUTH Authentication required.';
    expect(await node.ready()).toEqual({ status: 'degraded', reason: OUT_OF_REACH });
    await attempts(admins[0]!, 3 * LINKS.length);
    const servers = cluster.servers.map(addressOf).join(', ');
    expect(told(node.cli, 'redis not reached')).toEqual(ofEach(servers, reason));
    expect(told(node.cli, 'redis connected')).toEqual([]);

    await ask('');
    await expectReady(node);
    // The lines come by another way than the answer.
    await eventually(async () => expect(told(node.cli, 'redis connected')).toEqual(ofEach(servers)));
    expect(told(node.cli, 'redis lost')).toEqual([]);
  });

  async function openLink(): Promise<ReconnectingClient> {
    const link = new ReconnectingClient({
      name: 'test',
      connect: (name) => connectRedis(redisSchema.parse({ url: redis.url }), name, 2000),
      onOpen: () => {},
      log: pino({ level: 'silent' }),
    });
    onTestFinished(() => link.close());
    await link.start();
    return link;
  }

  test('report why a script is refused, without its hash', async () => {
    const link = await openLink();
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    const run = new ScriptRunner(link, 2000).run(scripts.addHeld, 'key', 'kind', 'name', 1000);
    await expect(run).rejects.toThrow(/^Redis: OOM command not allowed when used memory > 'maxmemory'$/);
  });

  test('have a fault once they are closed: what goes on meanwhile finds no connection', async () => {
    const link = await openLink();
    expect(link.fault).toBeUndefined();
    link.close();
    expect(link.fault).toBe('The connection to Redis is closed');
    expect(() => link.client).toThrow(link.fault);
  });

  test('that cannot fetch missed messages log it once for each channel, and fetch them when they can', async () => {
    const permissions = documentedPermissions('server', PREFIX);
    await allow(...permissions);
    const config = { log: { level: 'debug' } };
    const far = await startNodeOn({ url: asBroker(), prefix: PREFIX }, { config });
    const near = await startNodeOn({ url: redis.url, prefix: PREFIX });
    await Promise.all([expectReady(far), expectReady(near)]);
    const events = listen(await join(await connectPusher(far), 'news'), 'e');
    const topic = `${PREFIX}:topic:{${APP.id}:news}`;
    const subscriptions = async () =>
      Number(((await redis.command('PUBSUB', 'SHARDNUMSUB', topic)) as unknown[])[1]);
    expect(await subscriptions()).toBe(1);

    // Redis ends the subscriptions of a Redis user that has lost the permission.
    await allow('resetchannels');
    await eventually(async () => expect(await subscriptions()).toBe(0));
    await publish(near, 'news', 'e', '0');
    // All keys but those of the channels of the app.
    await allow('resetkeys', `~${PREFIX}:[^t]*`, `~${PREFIX}:topic:{[^${APP.id[0]}]*`, `&${PREFIX}:*`);
    await eventually(async () => expect(await subscriptions()).toBe(1));
    for (const n of [1, 2, 3, 4, 5]) await publish(near, 'news', 'e', String(n));
    await far.cli.line('failed to fetch missed messages; will retry');
    await allow(...permissions);
    for (const n of [0, 1, 2, 3, 4, 5]) expect(await events.next()).toBe(n);
    expect(far.cli.count('failed to fetch missed messages; will retry')).toBe(1);
  });
});

test('an attempt to connect costs little, since four connections make them for as long as Redis is away', async () => {
  const ATTEMPTS = 40;
  const settings = redisSchema.parse({ url: `redis://127.0.0.1:${await freePort()}` });
  const attempt = (n: number) =>
    expect(connectRedis(settings, `link-${n % 4}`, 2000)).rejects.toThrow('cannot be reached');
  await attempt(0);
  const before = process.cpuUsage();
  for (let n = 0; n < ATTEMPTS; n += 1) await attempt(n);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000 / ATTEMPTS).toBeLessThan(10);
});
