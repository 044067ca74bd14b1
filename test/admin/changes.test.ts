/** What a change does to an app that clients use, and what changes nothing. */
import { createServer, parseConfig } from '@countersign/server';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { request } from '../helpers/api.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';

let broker: Awaited<ReturnType<typeof createServer>>;
let app: { id: string; key: string; secret: string };

beforeEach(async () => {
  const started = await createServer(
    parseConfig({ port: 0, data: newFolder(), drainWindowSeconds: 0, admin: { token: OWNER } }),
  );
  onTestFinished(() => started.close());
  broker = started;
  const { body } = await admin(broker, 'POST', '/apps', { body: { id: 'shop' } });
  app = { id: 'shop', key: body.keys[0].key, secret: body.keys[0].secret };
});

const entries = async (query: string) => (await admin(broker, 'GET', `/audit?${query}`)).body.events;

test('a lowered limit of connections leaves who is connected, and admits nobody until enough have gone', async () => {
  const clients = await Promise.all([connect(broker, app), connect(broker, app), connect(broker, app)]);
  const lowered = await admin(broker, 'PATCH', '/apps/shop', { body: { limits: { connections: 2 } } });
  expect(lowered.status).toBe(200);
  expect(await open(broker, `/app/${app.key}?protocol=7`).closed()).toMatchObject({ code: 4004 });
  const { body: stats } = await admin(broker, 'GET', '/apps/shop/stats');
  expect(stats.limits.connections).toEqual({ limit: 2, used: 3, ratio: 1.5 });

  const [first, second, third] = clients;
  first.close();
  await expect.poll(async () => (await admin(broker, 'GET', '/apps/shop/stats')).body.connections).toBe(2);
  expect(await open(broker, `/app/${app.key}?protocol=7`).closed()).toMatchObject({ code: 4004 });
  second.close();
  await expect.poll(async () => (await admin(broker, 'GET', '/apps/shop/stats')).body.connections).toBe(1);
  await connect(broker, app);
  third.send({ event: 'pusher:ping', data: {} });
  expect(await third.next()).toContain('pusher:pong');
});

test('an end in the past ends a key at once, and it lives again when the end is taken back', async () => {
  const client = await connect(broker, app);
  const path = `/apps/shop/keys/${app.key}`;
  const now = Math.floor(Date.now() / 1000);
  const ended = await admin(broker, 'PATCH', path, { body: { expires_at: now - 1 } });
  expect(ended).toMatchObject({ status: 200, body: { expires_at: now - 1 } });
  expect(await client.closed()).toMatchObject({ code: 4001 });
  expect(await open(broker, `/app/${app.key}?protocol=7`).closed()).toMatchObject({ code: 4001 });
  expect((await request(broker, 'GET', '/channels', { app })).status).toBe(401);
  expect((await admin(broker, 'PATCH', path, { body: { expires_at: null } })).status).toBe(200);
  await connect(broker, app);

  const born = await admin(broker, 'POST', '/apps/shop/keys', { body: { expires_at: 1 } });
  expect(born).toMatchObject({ status: 201, body: { expires_at: 1 } });
  const refused = open(broker, `/app/${born.body.key}?protocol=7`);
  expect(await refused.closed()).toMatchObject({ code: 4001 });
});

test('a patch that changes nothing leaves the etag, and is not in the audit', async () => {
  const { body: before } = await admin(broker, 'PATCH', '/apps/shop', { body: { cacheSeconds: 60 } });
  const { body: after } = await admin(broker, 'PATCH', '/apps/shop', { body: { cacheSeconds: 60 } });
  expect(after).toEqual(before);
  const same = await admin(broker, 'PATCH', `/apps/shop/keys/${app.key}`, { body: { state: 'active' } });
  expect(same.status).toBe(200);
  expect((await admin(broker, 'GET', '/apps/shop')).body.etag).toBe(before.etag);
  expect(await entries('type=app.updated')).toHaveLength(1);
  expect(await entries('type=key.updated')).toEqual([]);
});

test('the answer to a patch has the last use of the keys; use does not change the etag', async () => {
  expect((await request(broker, 'GET', '/channels', { app })).status).toBe(200);
  const { body: used } = await admin(broker, 'GET', '/apps/shop');
  const { body: changed } = await admin(broker, 'PATCH', '/apps/shop', {
    body: {},
    headers: { 'If-Match': `"${used.etag}"` },
  });
  expect(changed.keys[0].last_used_at).toBe(used.keys[0].last_used_at);
  expect(changed.keys[0].last_used_at).toBeGreaterThan(0);
});

test('the audit tells how the scopes of a key have changed', async () => {
  await admin(broker, 'PATCH', `/apps/shop/keys/${app.key}`, { body: { scopes: ['read'] } });
  const path = `keys.${app.key}.scopes`;
  expect(await entries('type=key.updated')).toMatchObject([
    { changes: [{ path, from: null, to: ['read'] }] },
  ]);
});

test('of many patches with one etag exactly one wins', async () => {
  const { etag } = (await admin(broker, 'GET', '/apps/shop')).body;
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      admin(broker, 'PATCH', '/apps/shop', {
        body: { cacheSeconds: 100 + index },
        headers: { 'If-Match': `"${etag}"` },
      }),
    ),
  );
  const won = answers.filter(({ status }) => status === 200);
  expect(won).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 412)).toHaveLength(19);
  expect((await admin(broker, 'GET', '/apps/shop')).body.cacheSeconds).toBe(won[0]?.body.cacheSeconds);
});
