/** Requests with a nonce count once. */
import { Countersign } from '@countersign/sdk-server';
import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const NONCE = '0f1e2d3c-4b5a';
const event = { name: 'e', data: 'x', channel: 'news' };
const withNonce = (nonce: string, body: object = event) => ({ body, query: { auth_nonce: nonce } });
const reused = { status: 401, body: { code: 'nonce_reused', server_time: expect.any(Number) } };

test('a request with a nonce that was used before is refused, whatever else it asks for', async () => {
  const broker = await startServer();
  const client = await connect(broker);
  await client.join('news');
  expect((await request(broker, 'POST', '/events', withNonce(NONCE))).status).toBe(200);
  expect(await client.next()).toBe(frames.event('e', 'news', 'x'));
  expect(await request(broker, 'POST', '/events', withNonce(NONCE))).toMatchObject(reused);
  const query = { auth_nonce: NONCE };
  expect(await request(broker, 'GET', '/channels', { query })).toMatchObject(reused);
  const earlier = { ...query, auth_timestamp: String(Math.floor(Date.now() / 1000) - 60) };
  expect(await request(broker, 'GET', '/channels', { query: earlier })).toMatchObject(reused);
  expect(await client.nothing()).toEqual([]);
  expect((await request(broker, 'POST', '/events', withNonce('another-nonce'))).status).toBe(200);
});

test('of many copies at the same moment one counts', async () => {
  const broker = await startServer();
  const client = await connect(broker);
  await client.join('news');
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => request(broker, 'POST', '/events', withNonce(NONCE))),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(await client.next()).toBe(frames.event('e', 'news', 'x'));
  expect(await client.nothing()).toEqual([]);
});

test('a refused request does not spend its nonce', async () => {
  const narrow = { id: APP.id, key: 'narrow', secret: 'a-secret-of-thirty-two-characters' };
  const keys = [
    { key: APP.key, secret: APP.secret },
    { key: narrow.key, secret: narrow.secret, scopes: ['publish:other'] },
  ];
  const broker = await startServer({ app: { keys } });
  const refused = [
    request(broker, 'POST', '/events', withNonce(NONCE, { ...event, channel: 'a b' })),
    request(broker, 'POST', '/events', withNonce(NONCE, { ...event, data: 'x'.repeat(20_000) })),
    request(broker, 'POST', '/events', { ...withNonce(NONCE), app: narrow }),
    request(broker, 'POST', '/events', { ...withNonce(NONCE), app: { ...APP, secret: 'another secret' } }),
  ];
  const statuses = [];
  for (const answer of refused) statuses.push((await answer).status);
  expect(statuses.every((status) => status >= 400)).toBe(true);
  expect((await request(broker, 'POST', '/events', withNonce(NONCE))).status).toBe(200);
});

test.each([
  ['7 char', 400],
  ['x'.repeat(65), 400],
  ['with:colon', 400],
  ['', 400],
  ['8 chars!', 200],
  ['🔑'.repeat(64), 200],
  ['+/=+/=+/=', 200],
])('the nonce %j is answered with %i', async (nonce, status) => {
  const broker = await startServer();
  const answer = await request(broker, 'GET', '/channels', { query: { auth_nonce: nonce } });
  expect(answer.status).toBe(status);
  if (status === 400) expect(answer.body).toMatchObject({ code: 'nonce_invalid' });
});

test('an app may require nonces, which the server SDK sends if it is told to', async () => {
  const broker = await startServer({ app: { requireNonce: true } });
  for (const [method, path] of [
    ['GET', '/channels'],
    ['POST', '/events'],
  ] as const) {
    const body = method === 'POST' ? { body: event } : {};
    expect(await request(broker, method, path, body)).toMatchObject({
      status: 401,
      body: { code: 'nonce_required', server_time: expect.any(Number) },
    });
  }
  const { host, port } = broker;
  const { id: appId, key, secret } = APP;
  const sdk = new Countersign({ appId, key, secret, host, port, useTLS: false, nonces: true });
  await sdk.trigger('news', 'e', 'x');
  await sdk.trigger('news', 'e', 'x');
  broker.reload(configOf({}).apps);
  expect((await request(broker, 'POST', '/events', { body: event })).status).toBe(200);
});

test('the server SDK makes a new nonce for each attempt', async () => {
  const nonces: (string | null)[] = [];
  const sdk = new Countersign({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host: 'localhost',
    maxRetries: 2,
    nonces: true,
    fetch: async (url) => {
      nonces.push(new URL(String(url)).searchParams.get('auth_nonce'));
      return nonces.length < 3 ? new Response('{}', { status: 503 }) : Response.json({ channels: {} });
    },
  });
  await sdk.get({ path: '/channels' });
  expect(new Set(nonces).size).toBe(3);
  for (const nonce of nonces) expect(nonce).toMatch(/^[\w-]{22}$/);
});

test('beyond the bound of the app a request with a nonce is refused, and one without is not', async () => {
  const broker = await startServer({ app: { limits: { nonces: 2 } } });
  for (const nonce of ['nonce-01', 'nonce-02'])
    expect((await request(broker, 'POST', '/events', withNonce(nonce))).status).toBe(200);
  const full = await request(broker, 'POST', '/events', withNonce('nonce-03'));
  expect(full).toMatchObject({ status: 429, body: { code: 'too_many_nonces' } });
  expect(full.headers.get('retry-after')).toBe('10');
  expect((await request(broker, 'POST', '/events', { body: event })).status).toBe(200);
});

test('a nonce counts once over all workers', { timeout: 60_000 }, async () => {
  const group = await startWorkers();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => request(group, 'POST', '/events', withNonce(NONCE))),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(401)]);
});
