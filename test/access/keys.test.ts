/** Keys: what their states and scopes allow, and what ends with them. */
import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { read } from '../helpers/clients/grants.ts';
import { startLivePage } from '../helpers/console.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';
import { stalledMs } from '../helpers/running-time.ts';

const SECRET = 'a-secret-of-thirty-two-characters';
const PAGE = { key: 'page' };
const keyNamed = (key: string, settings: object = {}) => ({ key, secret: SECRET, ...settings });
const signedBy = (key: string) => ({ id: APP.id, key, secret: SECRET });
const reload = (broker: Broker, keys: readonly object[]) => broker.reload(configOf({ app: { keys } }).apps);

describe('a key without a secret', () => {
  test('connects clients, and signs nothing', async () => {
    const broker = await startServer({ app: { keys: [PAGE, keyNamed('signer')] } });
    const client = await open(broker, '/app/page?protocol=7').established();
    client.subscribe('private-a', { auth: `page:${'0'.repeat(64)}` });
    expect(read(await client.next()).data).toMatchObject({
      type: 'AuthError',
      status: 401,
      code: 'client_key',
    });
    expect(await request(broker, 'GET', '/channels', { app: signedBy('page') })).toMatchObject({
      status: 401,
      body: { code: 'client_key' },
    });
  });
});

describe('a state', () => {
  test('that becomes accepted closes nothing, and goes on to verify', async () => {
    const broker = await startServer({ app: { keys: [keyNamed('old'), keyNamed('new')] } });
    const client = await connect(broker, signedBy('old'));
    await client.join('private-a');
    await client.signIn({ id: 'ann' });
    reload(broker, [keyNamed('old', { state: 'accepted' }), keyNamed('new')]);
    await client.join('private-b');
    expect((await request(broker, 'GET', '/channels', { app: signedBy('old') })).status).toBe(200);
    expect(await client.nothing()).toEqual([]);
  });

  test('that becomes revoked ends what the key granted, and refuses it', async () => {
    const broker = await startServer({ app: { keys: [keyNamed('old'), keyNamed('new'), PAGE] } });
    const named = await connect(broker, signedBy('old'));
    const signedIn = await connect(broker, signedBy('old'));
    await signedIn.signIn({ id: 'ann' });
    const kept = await connect(broker, signedBy('new'));
    await kept.join('private-a');
    const granted = await open(broker, '/app/page?protocol=7').established();
    granted.credentials = signedBy('old');
    await granted.join('private-a');

    reload(broker, [keyNamed('old', { state: 'revoked' }), keyNamed('new'), PAGE]);
    expect(await named.closed()).toEqual({ code: 4001, reason: 'key_revoked: The key was revoked' });
    expect(await signedIn.closed()).toEqual({
      code: 4009,
      reason: 'key_revoked: The key that signed the sign-in was revoked',
    });
    expect(read(await granted.next())).toMatchObject({
      event: 'pusher:subscription_error',
      channel: 'private-a',
      data: { type: 'AuthError', status: 401, code: 'key_revoked' },
    });
    expect(await kept.nothing()).toEqual([]);
    expect(await request(broker, 'GET', '/channels', { app: signedBy('old') })).toMatchObject({
      status: 401,
      body: { code: 'key_revoked' },
    });
    expect(await open(broker, '/app/old?protocol=7').closed()).toMatchObject({ code: 4001 });
  });

  test('is revoked within a second after expiresAt', async () => {
    const stalledBefore = stalledMs();
    const end = Date.now() + 1500;
    const keys = [keyNamed('old', { expiresAt: new Date(end).toISOString() }), keyNamed('new')];
    const broker = await startServer({ app: { keys } });
    const client = await connect(broker, signedBy('old'));
    await client.join('private-a');
    expect(await client.closed()).toMatchObject({ code: 4001 });
    expect(Date.now()).toBeGreaterThanOrEqual(end);
    expect(Date.now()).toBeLessThan(end + 1000 + stalledMs() - stalledBefore);
  });
});

describe('scopes', () => {
  const app = signedBy('narrow');
  const start = (...scopes: string[]) =>
    startServer({ app: { keys: [keyNamed('narrow', { scopes }), keyNamed('all')] } });

  test('narrow what a key grants', async () => {
    const broker = await start('subscribe:private-room-*');
    const client = await connect(broker, app);
    await client.join('private-room-1');
    const [refused, error] = [await client.join('private-hall'), await client.signIn({ id: 'ann' })];
    expect(read(refused).data).toEqual({
      type: 'AuthError',
      error: 'The key "narrow" lacks the scope subscribe:private-hall',
      status: 403,
      code: 'scope_missing',
    });
    expect(error).toBe(frames.error(4009, 'The key "narrow" lacks the scope sign_in', 'scope_missing'));
  });

  test('that are missing are named to the log and the console', async () => {
    const { log, lines } = recordLog('info');
    const keys = [keyNamed('narrow', { scopes: ['subscribe:a'] }), keyNamed('all')];
    const broker = await startServer({ app: { keys }, parts: { log } });
    const page = await startLivePage(broker, { key: 'all', secret: SECRET });
    const client = await connect(broker, app);
    await client.join('private-b');
    expect(await page.entry('subscriptionRefused')).toMatchObject({ scope: 'subscribe:private-b' });
    await client.signIn({ id: 'ann' });
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'sign-in refused', scope: 'sign_in' }));
    expect(await page.entry('signInRefused')).toMatchObject({ errorCode: 'scope_missing', scope: 'sign_in' });
    await request(broker, 'GET', '/channels', { app });
    expect(await page.entry('requestRefused')).toMatchObject({ status: 403, scope: 'read' });
  });

  test('narrow what a key may publish, and one other channel refuses all of them', async () => {
    const broker = await start('publish:news-*');
    const listener = await connect(broker, signedBy('all'));
    await listener.join('news-1');
    const body = { name: 'e', data: 'x', channels: ['news-1', 'other'] };
    expect(await request(broker, 'POST', '/events', { app, body })).toMatchObject({
      status: 403,
      body: { code: 'scope_missing', error: 'The key "narrow" lacks the scope publish:other' },
    });
    const batch = [
      { name: 'e', data: 'x', channel: 'news-1' },
      { name: 'e', data: 'x', channel: 'other' },
    ];
    expect((await request(broker, 'POST', '/batch_events', { app, body: { batch } })).status).toBe(403);
    expect(
      await request(broker, 'POST', '/events', { app, body: { ...body, channels: ['news-1'] } }),
    ).toMatchObject({
      status: 200,
    });
    expect(await listener.next()).toBe(frames.event('e', 'news-1', 'x'));
  });

  test.each([
    ['GET', '/channels', 'read'],
    ['GET', '/users', 'read'],
    ['GET', '/keys', 'read'],
    ['POST', '/users/ann/terminate_connections', 'revoke'],
    ['POST', '/channels/private-a/subscriptions/remove', 'revoke'],
    ['DELETE', '/channels/private-a/events', 'revoke'],
    ['GET', '/webhooks', 'webhooks'],
    ['GET', '/webhook_events', 'webhooks'],
  ] as const)('%s %s needs %s', async (method, path, scope) => {
    const broker = await start('publish:*');
    const body = method === 'POST' ? { body: {} } : {};
    expect(await request(broker, method, path, { app, ...body })).toMatchObject({
      status: 403,
      body: { code: 'scope_missing', error: `The key "narrow" lacks the scope ${scope}` },
    });
    reload(broker, [keyNamed('narrow', { scopes: [scope] }), keyNamed('all')]);
    expect((await request(broker, method, path, { app, ...body })).status).not.toBe(403);
  });

  test.each(['write', 'publish', 'publish:', 'publish:a b', 'read:*', ''])('"%s" is no scope', (scope) => {
    expect(() => configOf({ app: { keys: [keyNamed('narrow', { scopes: [scope] })] } })).toThrow(
      'apps[0].keys[0].scopes[0]',
    );
  });
});

test('the list of keys shows the uses on all workers', { timeout: 60_000 }, async () => {
  const group = await startWorkers({ app: { keys: [keyNamed('signer'), keyNamed('reader')] } });
  const signer = signedBy('signer');
  const workers = new Set<number>();
  while (workers.size < 2) {
    const client = await connect(group, signer);
    const worker = await group.workerOf(client.socketId);
    await (workers.size === 0 ? client.join('private-a') : client.signIn({ id: 'ann' }));
    workers.add(worker);
  }
  for (let times = 0; times < 8; times += 1) {
    const { body } = await request(group, 'GET', '/keys', { app: signedBy('reader') });
    const at = expect.any(Number);
    expect(body).toMatchObject({
      keys: [{ last_used_at: { subscribe: at, sign_in: at } }, { last_used_at: { read: at } }],
    });
  }
});

test('the list of keys shows state, scopes, end and last uses, and no secret', async () => {
  const keys = [
    keyNamed('signer'),
    keyNamed('reader', { state: 'accepted', scopes: ['read'], expiresAt: '2999-01-01T00:00:00Z' }),
    { ...PAGE, createdAt: '2026-01-01T01:00:00+01:00' },
  ];
  const broker = await startServer({ app: { keys } });
  const client = await connect(broker, signedBy('signer'));
  await client.join('private-a');
  await publish(broker, 'private-a', 'e', 'x', {}, signedBy('signer'));
  const { status, body } = await request(broker, 'GET', '/keys', { app: signedBy('reader') });
  expect(status).toBe(200);
  const unused = { subscribe: null, publish: null, read: null, sign_in: null };
  const at = expect.any(Number);
  const common = { state: 'active', scopes: null, expires_at: null, created_at: null };
  expect(body).toEqual({
    keys: [
      { ...common, key: 'signer', last_used_at: { ...unused, subscribe: at, publish: at } },
      {
        ...common,
        key: 'reader',
        state: 'accepted',
        scopes: ['read'],
        expires_at: Date.parse('2999-01-01') / 1000,
        last_used_at: { ...unused, read: at },
      },
      { ...common, key: 'page', created_at: Date.parse('2026-01-01') / 1000, last_used_at: unused },
    ],
  });
});
