/** What Redis has of the app store: nothing that could be read, and nothing that is lost for good. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { startNodeOn } from '../helpers/brokers/configured-node.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

/** Several processes start one after the other. */
vi.setConfig({ testTimeout: 120_000 });

const MASTER_KEY = randomBytes(32).toString('base64');
const ENV = { COUNTERSIGN_ADMIN_TOKEN: OWNER, COUNTERSIGN_ADMIN__MASTER_KEY: MASTER_KEY };

const startOn = (port: number, prefix: string, options: object = {}) =>
  startNodeOn({ url: `redis://127.0.0.1:${port}`, prefix }, { env: ENV, ...options });

const credentialsOf = (app: { id: string; keys: { key: string; secret: string }[] }) => ({
  id: app.id,
  key: app.keys[0]!.key,
  secret: app.keys[0]!.secret,
});

describe.skipIf(!hasRedis)('the app store of nodes on Redis', () => {
  let redis: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  function newPrefix(): string {
    prefixes += 1;
    return `apps-${prefixes}`;
  }

  const startNodes = async (count: number, prefix = newPrefix()) =>
    Promise.all(Array.from({ length: count }, () => startOn(redis.port, prefix)));

  test('what Redis has lost is written again by the nodes that have it, and stays removed where it was', async () => {
    const [one, two] = await startNodes(2);
    const { body: app } = await admin(one!, 'POST', '/apps', { body: {} });
    const { body: gone } = await admin(two!, 'POST', '/apps', { body: {} });
    await admin(one!, 'DELETE', `/apps/${gone.id}`);
    const client = await connect(two!, credentialsOf(app));
    await redis.kill();
    await redis.start();
    await eventually(async () => {
      const { status, body } = await admin(two!, 'POST', '/apps', { body: { name: 'After' } });
      expect([status, body.name]).toEqual([201, 'After']);
    });
    for (const node of [one!, two!]) {
      await eventually(async () => {
        const { body } = await admin(node, 'GET', '/apps');
        const ids = body.apps.map(({ id }: { id: string }) => id);
        expect(ids).toContain(app.id);
        expect(ids).not.toContain(gone.id);
        expect(body.apps.map(({ name }: { name: string | null }) => name)).toContain('After');
      });
    }
    expect(await client.join('private-still-here')).toContain('succeeded');
  });

  test('no secret is in Redis as it is', async () => {
    const prefix = newPrefix();
    const [node] = await startNodes(1, prefix);
    const { body: app } = await admin(node!, 'POST', '/apps', {
      headers: { 'Idempotency-Key': 'sealed' },
      body: {},
    });
    const script = `
      local all = {}
      for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do table.insert(all, redis.call('DUMP', key)) end
      return table.concat(all)`;
    const kept = String(await redis.command('EVAL', script, '0', prefix));
    expect(kept).toContain(app.id);
    expect(kept).not.toContain(app.keys[0].secret);
    expect(kept).not.toContain(app.keys[0].key);
  });

  test('an app of the store takes neither the id nor a key from the file of a node that did not make it', async () => {
    const prefix = newPrefix();
    const [one] = await startNodes(1, prefix);
    const own = { id: 'own', key: 'own-key', secret: randomBytes(20).toString('hex') };
    const two = await startOn(redis.port, prefix, {
      app: { id: own.id, keys: [{ key: own.key, secret: own.secret }] },
    });
    const mine = await connect(two, own);
    for (const body of [{ id: own.id }, { id: 'other', keys: [{ key: own.key }] }])
      expect((await admin(one!, 'POST', '/apps', { body })).status).toBe(201);
    const { body: last } = await admin(one!, 'POST', '/apps', { body: {} });
    await eventually(async () => expect((await admin(two, 'GET', `/apps/${last.id}`)).status).toBe(200));
    expect(await mine.join('private-mine')).toContain('succeeded');
    expect(await (await connect(two, own)).join('private-mine')).toContain('succeeded');
  });
});
