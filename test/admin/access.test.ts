/** Who may use the admin API, and for what. */
import { createHash } from 'node:crypto';
import { createServer, parseConfig } from '@countersign/server';
import { expect, onTestFinished, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { auditLines, findAudit } from '../helpers/audit.ts';
import { APP, OTHER_APP } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';
import { send } from '../helpers/http.ts';

const hashOf = (token: string) => `sha256:${createHash('sha256').update(token).digest('hex')}`;
const tokenOf = (name: string) => `csa_${name.padEnd(40, '0')}`;
const inFile = (name: string, more: object) => ({ name, hash: hashOf(tokenOf(name)), ...more });

const TOKENS = [
  inFile('operator', { role: 'operator' }),
  inFile('viewer', { role: 'viewer' }),
  inFile('billing', { role: 'billing' }),
  inFile('tenant', { role: 'operator', apps: [APP.id] }),
  inFile('old', { role: 'owner', expiresAt: '2026-01-01T00:00:00Z' }),
];

async function start(config: Readonly<Record<string, unknown>> = {}) {
  const broker = await createServer(
    parseConfig({
      port: 0,
      data: newFolder(),
      drainWindowSeconds: 0,
      admin: { token: OWNER, tokens: TOKENS },
      apps: [APP, OTHER_APP].map(({ id, key, secret }) => ({ id, keys: [{ key, secret }] })),
      ...config,
    }),
  );
  onTestFinished(() => broker.close());
  return broker;
}

test('without a token in the configuration nothing is there', async () => {
  const broker = await start({ admin: {}, data: undefined });
  for (const path of ['', '/apps', '/nowhere', '/openapi.json']) {
    expect(await admin(broker, 'GET', path), path).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
  }
});

test.each([
  ['', 'admin_token_missing'],
  ['csa_wrong', 'admin_token_invalid'],
  [tokenOf('old'), 'admin_token_expired'],
])('the token "%s" is refused on every path with %s', async (token, code) => {
  const broker = await start();
  for (const [method, path] of [
    ['GET', '/apps'],
    ['GET', '/nowhere'],
    ['GET', '/openapi.json'],
    ['PUT', '/apps'],
  ] as const) {
    const answer = await admin(broker, method, path, { token });
    expect(answer, path).toMatchObject({ status: 401, body: { code } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  }
});

test('too many refused requests of an address are 429, and a valid token passes all the same', async () => {
  const broker = await start({ failedAuthenticationsPerMinute: 3 });
  const statuses = [];
  for (let tries = 0; tries < 5; tries += 1)
    statuses.push((await admin(broker, 'GET', '/apps', { token: 'csa_wrong' })).status);
  expect(statuses).toEqual([401, 401, 401, 429, 429]);
  const refused = await admin(broker, 'GET', '/apps', { token: 'csa_wrong' });
  expect(refused.body.code).toBe('too_many_refused');
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await admin(broker, 'GET', '/apps')).status).toBe(200);
});

test('each role may do its part, and no more', async () => {
  const broker = await start();
  await admin(broker, 'POST', '/apps', { body: { id: 'shop' } });
  const status = async (name: string, method: string, path: string, body?: object) =>
    (await admin(broker, method, path, { token: tokenOf(name), ...(body && { body }) })).status;
  expect(await status('operator', 'POST', '/apps', {})).toBe(201);
  expect(await status('operator', 'GET', '/tokens')).toBe(403);
  expect(await status('operator', 'POST', '/tokens', { name: 'x', role: 'owner' })).toBe(403);
  expect(await status('viewer', 'GET', '/apps')).toBe(200);
  expect(await status('viewer', 'GET', '/nodes')).toBe(200);
  expect(await status('viewer', 'PATCH', '/apps/shop', {})).toBe(403);
  expect(await status('billing', 'GET', '/apps')).toBe(403);
  expect(await status('billing', 'GET', '/openapi.json')).toBe(200);
});

test('a token for some apps sees and changes these only', async () => {
  const broker = await start();
  const token = tokenOf('tenant');
  const listed = await admin(broker, 'GET', '/apps', { token });
  expect(listed.body.apps.map(({ id }: { id: string }) => id)).toEqual([APP.id]);
  const other = await admin(broker, 'GET', `/apps/${OTHER_APP.id}`, { token });
  expect(other).toMatchObject({ status: 404, body: { code: 'app_not_found' } });
  for (const [method, path, body] of [
    ['POST', '/apps', {}],
    ['GET', '/nodes', undefined],
    ['GET', '/tokens', undefined],
  ] as const) {
    const answer = await admin(broker, method, path, { token, body });
    expect(answer, path).toMatchObject({ status: 403, body: { code: 'role_missing' } });
  }
});

test('tokens are made, listed without what they are, used, kept over a restart, and ended', async () => {
  const data = newFolder();
  const first = await start({ data });
  const made = await admin(first, 'POST', '/tokens', { body: { name: 'ann', role: 'viewer' } });
  expect(made).toMatchObject({
    status: 201,
    body: { token: expect.stringMatching(/^csa_[A-Za-z0-9]{40}$/) },
  });
  const { token } = made.body;
  expect((await admin(first, 'GET', '/apps', { token })).status).toBe(200);
  const { body } = await admin(first, 'GET', '/tokens');
  expect(body.tokens.map(({ name, managed_by: by }: Record<string, string>) => [name, by])).toEqual([
    ['ann', 'api'],
    ['billing', 'file'],
    ['env', 'env'],
    ['old', 'file'],
    ['operator', 'file'],
    ['tenant', 'file'],
    ['viewer', 'file'],
  ]);
  expect(JSON.stringify(body)).not.toContain('sha256');
  expect(JSON.stringify(body)).not.toContain(token);
  expect(body.tokens[0].last_used_at).toBeGreaterThan(0);
  expect(await admin(first, 'POST', '/tokens', { body: { name: 'ann', role: 'owner' } })).toMatchObject({
    status: 409,
    body: { code: 'token_exists' },
  });
  expect(await admin(first, 'DELETE', '/tokens/viewer')).toMatchObject({ body: { code: 'managed_by_file' } });
  await first.close();
  const second = await start({ data });
  expect((await admin(second, 'GET', '/apps', { token })).status).toBe(200);
  expect((await admin(second, 'DELETE', '/tokens/ann')).status).toBe(204);
  expect(await admin(second, 'GET', '/apps', { token })).toMatchObject({
    body: { code: 'admin_token_invalid' },
  });
});

test('the audit says who changed what, without secrets', async () => {
  const broker = await start();
  const { body: made } = await admin(broker, 'POST', '/apps', { body: { id: 'shop' } });
  await admin(broker, 'PATCH', '/apps/shop', {
    token: tokenOf('operator'),
    body: { limits: { connections: 7 } },
  });
  const { body } = await admin(broker, 'GET', '/audit');
  expect(body.events).toEqual([
    {
      id: expect.any(String),
      at: expect.any(Number),
      type: 'app.updated',
      actor: 'operator',
      app: 'shop',
      changes: [{ path: 'limits.connections', from: 50_000, to: 7 }],
      address: '127.0.0.1',
      request_id: expect.any(String),
    },
    expect.objectContaining({ type: 'app.created', actor: 'env', app: 'shop' }),
  ]);
  expect(JSON.stringify(body)).not.toContain(made.keys[0].secret);
  const filtered = await admin(
    broker,
    'GET',
    '/audit?type=app.created&actor=env&app=shop&limit=1&from=2020-01-01T00:00:00Z',
  );
  expect(filtered.body.events).toHaveLength(1);
  const tenant = await admin(broker, 'GET', '/audit', { token: tokenOf('tenant') });
  expect(tenant.body.events).toEqual([]);
});

test('with an audit log, what is changed is in its chain as well, once, without values', async () => {
  const data = newFolder();
  const broker = await start({ data, audit: { enabled: true } });
  const twice = { headers: { 'Idempotency-Key': 'one' }, body: { id: 'shop' } };
  const { body: made } = await admin(broker, 'POST', '/apps', twice);
  await admin(broker, 'POST', '/apps', twice);
  const { body: key } = await admin(broker, 'POST', '/apps/shop/keys', { body: {} });
  await admin(broker, 'PATCH', '/apps/shop', {
    token: tokenOf('operator'),
    body: { limits: { connections: 7 } },
  });
  await admin(broker, 'POST', '/tokens', { body: { name: 'ann', role: 'viewer' } });
  await expect.poll(() => auditLines(data).length).toBe(4);
  expect(auditLines(data).map((line) => JSON.parse(line))).toMatchObject([
    { type: 'app.created', app: 'shop', actor: 'env', address: '127.0.0.0/24' },
    { type: 'key.created', app: 'shop', actor: 'env', key: key.key },
    { type: 'app.updated', app: 'shop', actor: 'operator', reason: 'limits.connections' },
    { type: 'token.created', app: '', actor: 'env', reason: 'ann' },
  ]);
  const [{ key: first, secret }] = made.keys;
  const app = { id: 'shop', key: first, secret };
  expect(await findAudit(broker, { type: 'key.created' }, app)).toMatchObject([{ key: key.key }]);
  expect(await findAudit(broker, {}, app)).toHaveLength(3);
  expect(auditLines(data).join()).not.toContain(secret);
});

test('a request from outside of this machine needs TLS', async () => {
  const broker = await start();
  const answer = await send(broker, {
    target: '/admin/v1/apps',
    headers: { Authorization: `Bearer ${OWNER}`, 'X-Forwarded-For': '192.0.2.1' },
  });
  expect(answer.status).toBe(403);
  expect(JSON.parse(answer.text)).toMatchObject({ code: 'tls_required' });
  const behind = await start({ trustProxy: true });
  const secure = await send(behind, {
    target: '/admin/v1/apps',
    headers: {
      Authorization: `Bearer ${OWNER}`,
      'X-Forwarded-For': '192.0.2.1',
      'X-Forwarded-Proto': 'https',
    },
  });
  expect(secure.status).toBe(200);
});

test('the path prefix is in front', async () => {
  const broker = await start({ pathPrefix: '/realtime' });
  const headers = { Authorization: `Bearer ${OWNER}` };
  expect((await send(broker, { target: '/realtime/admin/v1/apps', headers })).status).toBe(200);
  expect((await send(broker, { target: '/admin/v1/apps', headers })).status).toBe(404);
});

test('what is wrong with a request is said by its code', async () => {
  const broker = await start();
  const code = async (method: string, path: string, options = {}) => {
    const { status, body } = await admin(broker, method, path, options);
    return [status, body.code];
  };
  expect(await code('GET', '/nowhere')).toEqual([404, 'not_found']);
  expect(await code('PUT', '/apps')).toEqual([405, 'method_not_allowed']);
  expect((await admin(broker, 'PUT', '/apps')).headers.get('allow')).toBe('GET, HEAD, POST');
  expect(await code('POST', '/apps', { body: '{' })).toEqual([400, 'invalid_request']);
  expect(await code('POST', '/apps', { body: '[]' })).toEqual([400, 'invalid_request']);
  expect(await code('POST', '/apps', { body: '{}', headers: { 'Content-Type': 'text/plain' } })).toEqual([
    415,
    'unsupported_media_type',
  ]);
  expect(await code('POST', '/openapi.json', { body: {} })).toEqual([405, 'method_not_allowed']);
  const unknown = await admin(broker, 'GET', '/openapi.json?pretty=1');
  expect(unknown).toMatchObject({
    status: 400,
    body: { errors: [{ path: 'pretty', expected: 'no such parameter' }] },
  });
  const large = JSON.stringify({ name: 'x'.repeat(1_100_000) });
  expect(await code('POST', '/apps', { body: large })).toEqual([413, 'body_too_large']);
});

test('the node is listed', async () => {
  const broker = await start();
  const { body } = await admin(broker, 'GET', '/nodes');
  expect(body.nodes).toEqual([
    {
      id: expect.any(String),
      version: expect.any(String),
      since: expect.any(Number),
      connections: 0,
      load: expect.any(Number),
      state: 'ready',
      self: true,
    },
  ]);
  expect(await admin(broker, 'POST', '/nodes/none/drain')).toMatchObject({
    body: { code: 'node_not_found' },
  });
});
