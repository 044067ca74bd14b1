import { parseConfig } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { officialBackend, pusherFor } from '../helpers/brokers/backend.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { type ConfiguredNode, startNodeOn } from '../helpers/brokers/configured-node.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { OUT_OF_REACH } from '../helpers/brokers/running-node.ts';
import { APP } from '../helpers/brokers/server.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, signIn } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { documentedPermissions } from '../helpers/redis/documented-acl.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { ReplicatedCluster } from '../helpers/redis/replicas.ts';
import { makeCertificates, tlsSettings } from '../helpers/redis/tls.ts';

const PREFIX = 'test';
const PASSWORD = 'hush: not/to@be shown';

const allow = (server: RedisServer, ...permissions: readonly string[]) =>
  server.command('ACL', 'SETUSER', 'broker', 'reset', 'on', `>${PASSWORD}`, ...permissions);

/** A URL with the user and the password. */
const as = (url: string, password = PASSWORD) =>
  url.replace('://', `://broker:${encodeURIComponent(password)}@`);

async function expectReady(...nodes: readonly ConfiguredNode[]): Promise<void> {
  for (const node of nodes) {
    await eventually(async () => expect(await node.ready()).toEqual({ status: 'ready' }));
  }
}

/** Makes two nodes do everything that needs Redis. */
async function useEverything(redis: object): Promise<void> {
  const receiver = await startReceiver();
  const webhooks = [{ id: 'hook', url: receiver.url(), events: ['member_added', 'member_removed'] }];
  const limits = { connections: 100, httpRequestsPerSecond: 1000 };
  const app = { webhooks, limits, subscriptionCount: true };
  const nodes = await Promise.all([startNodeOn(redis, { app }), startNodeOn(redis, { app })]);
  await expectReady(...nodes);
  const [a, b] = nodes;
  const backend = await officialBackend(a);
  const [ann, bob] = await Promise.all(
    ['ann', 'bob'].map((user, n) => connectPusher(nodes[n]!, { backend, user })),
  );
  const room = await join(ann!, 'presence-room');
  expect((await join(bob!, 'presence-room')).members.count).toBe(2);
  expect(await request(b, 'GET', '/channels/presence-room/users')).toMatchObject({ status: 200 });
  expect(await request(b, 'GET', '/channels', { query: { filter_by_prefix: 'presence-' } })).toMatchObject({
    body: { channels: { 'presence-room': {} } },
  });
  await publish(a, 'cache-score', 'goal', '"1:0"');
  expect(await listen(bob!.subscribe('cache-score'), 'goal').next()).toBe('1:0');
  await Promise.all([signIn(ann!), signIn(bob!)]);
  const typing = listen(room, 'client-typing');
  bob!.channel('presence-room').trigger('client-typing', {});
  await typing.next();
  const mail = listen(bob!.user, 'mail');
  await pusherFor(a).sendToUser('bob', 'mail', 'hello');
  expect(await mail.next()).toBe('hello');
  const removed = listen<{ id: string }>(room, 'pusher:member_removed');
  await pusherFor(a).terminateUserConnections('bob');
  expect((await removed.next()).id).toBe('bob');
  await receiver.eventsUntil(({ name, user_id }) => name === 'member_removed' && user_id === 'bob');
  expect(await request(b, 'GET', '/webhooks')).toMatchObject({ status: 200 });
  expect(await request(b, 'GET', '/webhook_events')).toMatchObject({ status: 200 });
  for (const { cli } of nodes) {
    cli.signal('SIGTERM');
    expect(await cli.result()).toMatchObject({ code: 0 });
    expect(cli.stdout).not.toContain('"level":50');
  }
}

describe.skipIf(!hasRedis)(
  'a Redis user with the permissions of the documentation',
  { timeout: 60_000 },
  () => {
    test('can do everything on one server, and is denied nothing', async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      await allow(redis, ...documentedPermissions('server', PREFIX));
      await useEverything({ url: as(redis.url), prefix: PREFIX });
      expect(await redis.command('ACL', 'LOG')).toEqual([]);
    });

    test('with a wrong password is reported, without showing the password', async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      await allow(redis, ...documentedPermissions('server', PREFIX));
      const node = await startNodeOn({ url: as(redis.url, 'wrong/secret'), prefix: PREFIX });
      const reason = expect.stringContaining('WRONGPASS');
      expect(await node.ready()).toEqual({ status: 'degraded', reason: OUT_OF_REACH });
      expect(await node.cli.logged('redis not reached')).toMatchObject({ reason });
      await allow(redis, ...documentedPermissions('server', PREFIX), '>wrong/secret');
      await expectReady(node);
      expect(node.cli.stdout).not.toMatch(/wrong.{1,3}secret/);
    });

    test('needs one more permission on a cluster', async () => {
      const cluster = await ReplicatedCluster.start();
      onTestFinished(() => cluster.stop());
      for (const server of cluster.servers) {
        await allow(server, ...documentedPermissions('server', PREFIX), ...documentedPermissions('cluster'));
      }
      const [first = '', ...others] = cluster.urls;
      const wrong = await startNodeOn({ cluster: { nodes: [as(first, 'wrong/secret'), ...others] } });
      expect(await wrong.ready()).toEqual({ status: 'degraded', reason: OUT_OF_REACH });
      expect(await wrong.cli.logged('redis not reached')).toMatchObject({
        reason: expect.stringContaining('WRONGPASS'),
      });
      await useEverything({ cluster: { nodes: [as(first), ...others] }, prefix: PREFIX });
      for (const server of cluster.servers) {
        expect((await server.command('ACL', 'LOG')) as unknown[]).not.toContainEqual(
          expect.arrayContaining(['command']),
        );
      }
    });
  },
);

describe.skipIf(!hasRedis)('Redis behind TLS of a private authority', { timeout: 60_000 }, () => {
  test('is reached with its certificate and that of the broker', async () => {
    const certificates = makeCertificates(newFolder());
    const { port, settings } = await tlsSettings(certificates);
    const redis = await RedisServer.start(settings);
    onTestFinished(() => redis.stop());
    const url = `rediss://127.0.0.1:${port}`;
    await useEverything({ url, tls: certificates, prefix: PREFIX });

    const { ca, cert, key } = certificates;
    const stranger = await startNodeOn({ url, tls: { cert, key } });
    expect(await stranger.ready()).toEqual({ status: 'degraded', reason: OUT_OF_REACH });
    expect(await stranger.cli.logged('redis not reached')).toMatchObject({
      reason: expect.stringMatching(/certificate/),
    });
    const nobody = await startNodeOn({ url, tls: { ca } });
    expect(await nobody.ready()).toMatchObject({ status: 'degraded' });
    await redis.command('CONFIG', 'SET', 'tls-auth-clients', 'no');
    await expectReady(nobody);
    await expectReady(await startNodeOn({ url }, { env: { NODE_EXTRA_CA_CERTS: ca } }));
    const apps = [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }];
    const gone = await fileWith({ apps, redis: { url, tls: { ca: `${ca}.gone` } } });
    expect(await runCli(['start', '--config', gone])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/redis\.tls\.ca.*\.gone/),
    });
  });

  test('is a whole cluster behind it', async () => {
    const certificates = makeCertificates(newFolder());
    const ports: number[] = [];
    const cluster = await ReplicatedCluster.start(async () => {
      const { port, settings } = await tlsSettings(certificates);
      ports.push(port);
      return [...settings, '--tls-cluster', 'yes', '--tls-replication', 'yes'];
    });
    onTestFinished(() => cluster.stop());
    const nodes = ports.map((port) => `rediss://127.0.0.1:${port}`);
    await useEverything({ cluster: { nodes }, tls: certificates, prefix: PREFIX });
  });
});

describe('files for TLS', () => {
  const url = 'rediss://localhost';
  const problemOf = (redis: object) => () => parseConfig({ redis });

  test('are shown by config --print, and can come from the environment', async () => {
    const file = await fileWith({ redis: { url } });
    const env = { COUNTERSIGN_REDIS__TLS__CA: '/etc/ca.pem' };
    const { stdout } = await runCli(['config', '--print', '--config', file], { env });
    expect(JSON.parse(stdout).redis).toEqual({ url, prefix: 'countersign', tls: { ca: '/etc/ca.pem' } });
  });

  test('are refused where they cannot be used', () => {
    expect(problemOf({ url, tls: { cert: 'cert.pem' } })).toThrow('redis.tls: ');
    expect(problemOf({ url: 'redis://localhost', tls: { ca: 'ca.pem' } })).toThrow(
      'expected URLs that begin with rediss://',
    );
    expect(problemOf({ cluster: { nodes: [url, 'redis://localhost'] } })).toThrow(
      'expected URLs that all begin with redis://, or with rediss://',
    );
    expect(problemOf({ cluster: { nodes: ['nonsense'] } })).toThrow('redis.cluster.nodes[0]: ');
  });
});
