/** Apps over the admin API: made, used by a stock client at once, changed, removed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, parseConfig } from '@countersign/server';
import { expect, onTestFinished, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { publish, request } from '../helpers/api.ts';
import { APP, type Credentials } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { openPusher } from '../helpers/clients/official.ts';
import { newFolder } from '../helpers/folder.ts';

const fileApp = { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] };

async function start(config: Readonly<Record<string, unknown>> = {}) {
  const broker = await createServer(
    parseConfig({
      port: 0,
      data: newFolder(),
      drainWindowSeconds: 0,
      admin: { token: OWNER },
      apps: [fileApp],
      ...config,
    }),
  );
  onTestFinished(() => broker.close());
  return broker;
}

/** A client that only names a key. */
const withKey = (key: string): Credentials => ({ id: '', key, secret: '' });

/** Resolves with the state of a stock client when it is one of these. */
function reaches(client: ReturnType<typeof openPusher>, ...states: string[]): Promise<string> {
  return new Promise((resolve) => {
    const look = () => states.includes(client.connection.state) && resolve(client.connection.state);
    client.connection.bind('state_change', look);
    look();
  });
}

test('an app that was made is used by a stock client at once, its key is rotated, and its end closes with 4001', async () => {
  const broker = await start();
  const made = await admin(broker, 'POST', '/apps', { body: { name: 'Shop' } });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    id: expect.stringMatching(/^[A-Za-z0-9]{8}$/),
    name: 'Shop',
    managed_by: 'api',
    cacheSeconds: 1800,
    limits: { connections: 50_000 },
    grants: { maxSeconds: 3600, onExpiry: 'reconnect', requireExpiry: false },
    webhooks: [],
  });
  const { id, keys, etag, created_at: createdAt } = made.body;
  expect(keys).toEqual([
    {
      key: expect.stringMatching(/^[0-9a-f]{20}$/),
      secret: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      state: 'active',
      expires_at: null,
      created_at: createdAt,
      last_used_at: null,
    },
  ]);
  expect(made.headers.get('etag')).toBe(`"${etag}"`);

  const client = openPusher(broker, { key: keys[0].key });
  await reaches(client, 'connected');
  const heard = new Promise((resolve) => client.subscribe('room').bind('greeting', resolve));
  await new Promise((resolve) => client.channel('room').bind('pusher:subscription_succeeded', resolve));
  const app = { id, key: keys[0].key, secret: keys[0].secret };
  await publish(broker, 'room', 'greeting', '"hello"', {}, app);
  expect(await heard).toBe('hello');

  const shown = await admin(broker, 'GET', `/apps/${id}`);
  expect(shown.body.keys[0]).not.toHaveProperty('secret');
  expect(shown.body.keys[0].last_used_at).toBeGreaterThanOrEqual(createdAt);
  expect(shown.body.etag).toBe(etag);
  expect((await admin(broker, 'GET', `/apps/${id}/stats`)).body).toMatchObject({
    connections: 1,
    channels: 1,
    members: 0,
    limits: { connections: { limit: 50_000, used: 1, ratio: 1 / 50_000 } },
  });

  const second = await admin(broker, 'POST', `/apps/${id}/keys`);
  expect(second.status).toBe(201);
  const other = openPusher(broker, { key: second.body.key });
  await reaches(other, 'connected');
  const revoked = await admin(broker, 'PATCH', `/apps/${id}/keys/${keys[0].key}`, {
    body: { state: 'revoked' },
  });
  expect(revoked).toMatchObject({ status: 200, body: { state: 'revoked' } });
  await reaches(client, 'failed', 'disconnected', 'unavailable');
  expect(other.connection.state).toBe('connected');
  const again = await admin(broker, 'PATCH', `/apps/${id}/keys/${keys[0].key}`, {
    body: { state: 'active' },
  });
  expect(again).toMatchObject({ status: 409, body: { code: 'key_revoked' } });

  const raw = await connect(broker, withKey(second.body.key));
  expect((await admin(broker, 'DELETE', `/apps/${id}?dry_run=true`)).body).toEqual({
    dry_run: true,
    connections: 2,
    channels: 0,
    keys: 2,
    webhooks: 0,
    deliveries_pending: 0,
    history_bytes: 0,
  });
  expect((await admin(broker, 'DELETE', `/apps/${id}`)).status).toBe(204);
  expect(await raw.closed()).toMatchObject({ code: 4001 });
  expect(await admin(broker, 'GET', `/apps/${id}`)).toMatchObject({
    status: 404,
    body: { code: 'app_not_found' },
  });
});

test('a restart keeps apps; nothing in the data directory shows a secret, or is for others', async () => {
  const data = newFolder();
  const first = await start({ data });
  const hook = { url: 'https://example.com/hook', events: ['member_added'] };
  const made = await admin(first, 'POST', '/apps', { body: { id: 'shop', webhooks: [hook] } });
  const { key, secret } = made.body.keys[0];
  const hookSecret = made.body.webhooks[0].secret;
  expect(hookSecret).toMatch(/^whsec_/);
  await first.close();
  for (const name of readdirSync(data)) {
    expect(statSync(join(data, name)).mode & 0o077, name).toBe(0);
    const content = readFileSync(join(data, name));
    for (const text of [secret, key, hookSecret, OWNER]) expect(content.includes(text), name).toBe(false);
  }
  const second = await start({ data });
  expect((await admin(second, 'GET', '/apps/shop')).body).toMatchObject({ id: 'shop', keys: [{ key }] });
  await connect(second, withKey(key));
});

test('settings are changed by a merge patch, guarded by the etag', async () => {
  const broker = await start();
  const { body: made } = await admin(broker, 'POST', '/apps', {
    body: { id: 'shop', cacheSeconds: 60, limits: { connections: 5, batchSize: 3 } },
  });
  const first = await admin(broker, 'PATCH', '/apps/shop', {
    body: { cacheSeconds: null, limits: { connections: 7 } },
    headers: { 'If-Match': `"${made.etag}"`, 'Content-Type': 'application/merge-patch+json' },
  });
  expect(first).toMatchObject({
    status: 200,
    body: { cacheSeconds: 1800, limits: { connections: 7, batchSize: 3 } },
  });
  expect(first.body.etag).not.toBe(made.etag);
  const late = await admin(broker, 'PATCH', '/apps/shop', {
    body: { enabled: false },
    headers: { 'If-Match': `"${made.etag}"` },
  });
  expect(late).toMatchObject({ status: 412, body: { code: 'etag_mismatch' } });
  expect(late.headers.get('content-type')).toBe('application/problem+json');
  expect(
    (await admin(broker, 'PATCH', '/apps/shop', { body: {}, headers: { 'If-Match': '*' } })).status,
  ).toBe(200);
});

test('null means the default, at whatever depth', async () => {
  const broker = await start();
  const secret = `whsec_${Buffer.alloc(24, 'a secret of the renewal').toString('base64')}`;
  const renewal = { url: 'https://example.com/renew', leadSeconds: 90, secret };
  await admin(broker, 'POST', '/apps', {
    body: { id: 'shop', limits: { batchSize: 3, connections: 5 }, grants: { maxSeconds: 60, renewal } },
  });
  const answer = await admin(broker, 'PATCH', '/apps/shop', {
    body: { limits: { batchSize: null, connections: null }, grants: { renewal: { leadSeconds: null } } },
  });
  expect(answer).toMatchObject({
    status: 200,
    body: {
      limits: { batchSize: 10, connections: 50_000 },
      grants: { maxSeconds: 60, renewal: { url: 'https://example.com/renew', leadSeconds: 60 } },
    },
  });
  const all = await admin(broker, 'PATCH', '/apps/shop', { body: { limits: null, grants: null } });
  expect(all).toMatchObject({ status: 200, body: { grants: { maxSeconds: null, renewal: null } } });
});

test.each([
  [
    'a wrong type',
    { cacheSeconds: 'many' },
    { path: 'cacheSeconds', got: 'many', expected: 'a whole number' },
  ],
  ['a value in a section', { limits: { connections: 0 } }, { path: 'limits.connections', got: 0 }],
  ['an unknown field', { colour: 'red' }, { path: 'colour', expected: 'no such field' }],
  ['an unknown field that is null', { colour: null }, { path: 'colour', expected: 'no such field' }],
  [
    'an unknown limit that is null',
    { limits: { colour: null } },
    { path: 'limits.colour', expected: 'no such field' },
  ],
  ['keys', { keys: [] }, { path: 'keys', expected: 'use /apps/ID/keys' }],
  ['webhooks', { webhooks: [] }, { path: 'webhooks', expected: 'use /apps/ID/webhooks' }],
  ['what is read-only', { etag: 'mine' }, { path: 'etag' }],
  [
    'more than a message may hold',
    { limits: { eventDataBytes: 10_000_000 } },
    { path: 'limits.eventDataBytes' },
  ],
])('PATCH refuses %s and says what it expected', async (_name, body, error) => {
  const broker = await start();
  await admin(broker, 'POST', '/apps', { body: { id: 'shop' } });
  const answer = await admin(broker, 'PATCH', '/apps/shop', { body });
  expect(answer.status).toBe(400);
  expect(answer.body).toMatchObject({ status: 400, code: 'invalid_request', errors: [error] });
});

test('a secret that came is not sent back, neither in the answer nor in a refusal', async () => {
  const broker = await start();
  const secret = 'my-own-secret-of-32-characters-7';
  const made = await admin(broker, 'POST', '/apps', { body: { keys: [{ key: 'mine', secret }] } });
  expect(made.status).toBe(201);
  expect(JSON.stringify(made.body)).not.toContain(secret);
  const refused = await admin(broker, 'POST', '/apps', {
    body: { keys: [{ secret: 'short7!' }], sercet: secret },
  });
  expect(refused.status).toBe(400);
  expect(refused.body.errors.map(({ path }: { path: string }) => path).sort()).toEqual([
    'keys[0].secret',
    'sercet',
  ]);
  expect(JSON.stringify(refused.body)).not.toContain('short7!');
  expect(JSON.stringify(refused.body)).not.toContain(secret);
  const guessable = await admin(broker, 'POST', '/apps', { body: { keys: [{ secret: 'password123' }] } });
  expect(guessable).toMatchObject({ status: 400, body: { errors: [{ path: 'keys[0].secret' }] } });
});

test('ids and keys are unique over the file and the store', async () => {
  const broker = await start();
  const taken = await admin(broker, 'POST', '/apps', { body: { id: APP.id } });
  expect(taken).toMatchObject({ status: 409, body: { code: 'app_exists' } });
  const key = await admin(broker, 'POST', '/apps', { body: { keys: [{ key: APP.key }] } });
  expect(key).toMatchObject({ status: 409, body: { code: 'key_exists' } });
});

test('what the file manages is read and not written', async () => {
  const broker = await start();
  const shown = await admin(broker, 'GET', `/apps/${APP.id}`);
  expect(shown.body).toMatchObject({ managed_by: 'file', created_at: null, updated_at: null });
  expect(JSON.stringify(shown.body)).not.toContain(APP.secret);
  for (const [method, path] of [
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/keys'],
    ['POST', '/webhooks'],
  ] as const) {
    const body = path === '/webhooks' ? { url: 'https://example.com/', events: ['member_added'] } : {};
    const options = method === 'DELETE' ? {} : { body };
    const answer = await admin(broker, method, `/apps/${APP.id}${path}`, options);
    expect(answer).toMatchObject({ status: 409, body: { code: 'managed_by_file' } });
  }
});

test('lists have pages, in the order of the ids, and find a part of the name', async () => {
  const broker = await start();
  for (const id of ['c', 'a', 'b'])
    await admin(broker, 'POST', '/apps', { body: { id, name: `The ${id} Shop` } });
  const first = await admin(broker, 'GET', '/apps?limit=2');
  expect(first.body.apps.map(({ id }: { id: string }) => id)).toEqual(['a', APP.id]);
  const second = await admin(broker, 'GET', `/apps?limit=2&cursor=${first.body.cursor}`);
  expect(second.body.apps.map(({ id }: { id: string }) => id)).toEqual(['b', 'c']);
  expect(second.body).not.toHaveProperty('cursor');
  const found = await admin(broker, 'GET', '/apps?q=B%20shop');
  expect(found.body.apps.map(({ id }: { id: string }) => id)).toEqual(['b']);
  for (const query of ['limit=0', 'limit=1001', 'cursor=nonsense!', 'colour=red', 'limit=1&limit=2']) {
    const answer = await admin(broker, 'GET', `/apps?${query}`);
    expect(answer, query).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(answer.body.errors[0].path).toBe(query.split('=')[0]);
  }
});

test('a request with an idempotency key is made once', async () => {
  const broker = await start();
  const options = { body: { name: 'Shop' }, headers: { 'Idempotency-Key': 'one' } };
  const [first, second] = await Promise.all([
    admin(broker, 'POST', '/apps', options),
    admin(broker, 'POST', '/apps', options),
  ]);
  expect(second.body).toEqual(first.body);
  const replayed = [first, second].map(({ headers }) => headers.get('idempotency-replayed'));
  expect(replayed.filter((value) => value === 'true')).toHaveLength(1);
  const other = await admin(broker, 'POST', '/apps', { ...options, body: { name: 'Other' } });
  expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_mismatch' } });
});

test('a key ends on time', async () => {
  const broker = await start();
  const { body: app } = await admin(broker, 'POST', '/apps', { body: {} });
  const expires = Math.floor(Date.now() / 1000) + 2;
  const { body: key } = await admin(broker, 'POST', `/apps/${app.id}/keys`, {
    body: { expires_at: expires },
  });
  const client = await connect(broker, withKey(key.key));
  expect(await client.closed()).toMatchObject({ code: 4001 });
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(expires);
});

test('a key has scopes and states, and a client key has no secret', async () => {
  const broker = await start();
  const { body: app } = await admin(broker, 'POST', '/apps', { body: { keys: [{ client: true }] } });
  expect(app.keys).toEqual([expect.objectContaining({ client: true, state: 'active' })]);
  expect(app.keys[0]).not.toHaveProperty('secret');
  await connect(broker, withKey(app.keys[0].key));
  const double = { keys: [{ client: true, secret: 'a-secret-of-thirty-two-characters' }] };
  expect((await admin(broker, 'POST', '/apps', { body: double })).status).toBe(400);

  const made = await admin(broker, 'POST', `/apps/${app.id}/keys`, { body: { scopes: ['publish:news'] } });
  expect(made).toMatchObject({ status: 201, body: { scopes: ['publish:news'] } });
  const { key, secret } = made.body;
  const call = { app: { id: app.id, key, secret } };
  expect(await request(broker, 'GET', '/channels', call)).toMatchObject({
    status: 403,
    body: { code: 'scope_missing' },
  });
  const path = `/apps/${app.id}/keys/${key}`;
  const change = (body: object) => admin(broker, 'PATCH', path, { body });
  expect(await change({ scopes: ['write'] })).toMatchObject({
    status: 400,
    body: { errors: [{ path: 'scopes[0]' }] },
  });
  expect(await change({ scopes: null, state: 'accepted' })).toMatchObject({
    status: 200,
    body: { key: made.body.key, state: 'accepted' },
  });
  expect((await request(broker, 'GET', '/channels', call)).status).toBe(200);
  expect((await change({ state: 'active' })).status).toBe(200);
  expect((await change({ state: 'revoked' })).status).toBe(200);
  expect(await request(broker, 'GET', '/channels', call)).toMatchObject({
    status: 401,
    body: { code: 'key_revoked' },
  });
});

test('the last key is not deleted, and may be revoked', async () => {
  const broker = await start();
  const { body: app } = await admin(broker, 'POST', '/apps', { body: {} });
  const path = `/apps/${app.id}/keys/${app.keys[0].key}`;
  expect(await admin(broker, 'DELETE', path)).toMatchObject({ status: 409, body: { code: 'last_key' } });
  const client = await connect(broker, withKey(app.keys[0].key));
  expect((await admin(broker, 'PATCH', path, { body: { state: 'revoked' } })).status).toBe(200);
  expect(await client.closed()).toMatchObject({ code: 4001 });
  const { body: key } = await admin(broker, 'POST', `/apps/${app.id}/keys`);
  await connect(broker, withKey(key.key));
});

test('without a store apps are read and none is made', async () => {
  const broker = await start({ data: undefined });
  expect((await admin(broker, 'GET', '/apps')).body.apps).toHaveLength(1);
  for (const [path, body] of [
    ['/apps', {}],
    ['/tokens', { name: 'ann', role: 'viewer' }],
  ] as const) {
    expect(await admin(broker, 'POST', path, { body })).toMatchObject({
      status: 409,
      body: { code: 'no_store' },
    });
  }
});

test('the secret of an issuer of tokens is not shown', async () => {
  const secret = 'a-secret-that-issuer-and-broker-share';
  const tokens = { issuers: [{ issuer: 'https://login.example', audience: 'live', secret }] };
  const broker = await start({ apps: [{ ...fileApp, tokens }] });
  expect((await admin(broker, 'POST', '/apps', { body: { id: 'shop', tokens } })).status).toBe(201);
  for (const path of ['/apps/shop', `/apps/${APP.id}`, '/apps', '/audit']) {
    const { body } = await admin(broker, 'GET', path);
    expect(JSON.stringify(body)).not.toContain(secret);
  }
});

test('the secret of renewals is not shown, and a change of another setting keeps it', async () => {
  const secret = 'whsec_dK4wZq8nYtR2vB6xH1mJ5sL9pF3gC7eA';
  const renewal = { url: 'https://shop.example/renew', secret };
  const broker = await start({ apps: [{ ...fileApp, grants: { renewal } }] });
  const made = await admin(broker, 'POST', '/apps', { body: { id: 'shop', grants: { renewal } } });
  expect(made.status).toBe(201);
  await admin(broker, 'PATCH', '/apps/shop', {
    body: { name: 'Shop' },
  });
  for (const path of ['/apps/shop', `/apps/${APP.id}`, '/apps', '/audit']) {
    const { body } = await admin(broker, 'GET', path);
    expect(JSON.stringify(body)).not.toContain(secret);
  }
  const { body: shown } = await admin(broker, 'GET', '/apps/shop');
  expect(shown.grants.renewal).toMatchObject({ url: renewal.url, secret: '***' });
});
