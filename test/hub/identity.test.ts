import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { connectCapable } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';

async function device(broker: Broker, user: object): Promise<TestClient> {
  const client = await connect(broker);
  await client.signIn(JSON.stringify(user));
  return client;
}

function terminate(broker: Broker, userId: string, body: object = {}) {
  return request(broker, 'POST', `/users/${userId}/terminate_connections`, { body });
}

function remove(broker: Broker, channel: string, body: object) {
  return request(broker, 'POST', `/channels/${channel}/subscriptions/remove`, { body });
}

describe('the devices of a user', () => {
  test('are known with their age, client and channels', async () => {
    let now = 1_700_000_000_000;
    const broker = await startServer({ parts: { now: () => now, monotonic: () => now } });
    const phone = await device(broker, { id: 'ann' });
    await phone.join('private-a');
    now += 61_000;
    const laptop = await device(broker, { id: 'ann' });
    const query = { auth_timestamp: String(now / 1000) };
    const { body } = await request(broker, 'GET', '/users/ann', { query });
    const client = 'test/1.0';
    expect(body).toEqual({
      id: 'ann',
      connections: [
        { socket_id: phone.socketId, age_seconds: 61, client, address: '127.0.0.1', channels: ['private-a'] },
        { socket_id: laptop.socketId, age_seconds: 0, client, address: '127.0.0.1', channels: [] },
      ],
    });
  });

  test('are forgotten when they go', async () => {
    const broker = await startServer();
    const watcher = await device(broker, { id: 'bob', watchlist: ['ann'] });
    await watcher.next();
    const ann = await device(broker, { id: 'ann' });
    expect(await watcher.next()).toBe(frames.watchlist({ online: ['ann'] }));
    ann.close();
    expect(await watcher.next()).toBe(frames.watchlist({ offline: ['ann'] }));
    expect((await request(broker, 'GET', '/users/ann')).body).toEqual({ id: 'ann', connections: [] });
  });

  test('are listed by user, a page at a time', async () => {
    const broker = await startServer();
    for (const id of ['cid', 'ann', 'bob', 'ann']) await device(broker, { id });
    const first = await request(broker, 'GET', '/users', { query: { limit: '2' } });
    expect(first.body).toEqual({ users: [{ id: 'ann' }, { id: 'bob' }], cursor: 'bob' });
    const rest = await request(broker, 'GET', '/users', { query: { limit: '2', cursor: 'bob' } });
    expect(rest.body).toEqual({ users: [{ id: 'cid' }] });
    expect((await request(broker, 'GET', '/users', { query: { limit: '0' } })).status).toBe(400);
  });
});

describe('to terminate a user', () => {
  test('closes all connections of the user with the reason, and no others', async () => {
    const broker = await startServer();
    const devices = [await device(broker, { id: 'ann' }), await device(broker, { id: 'ann' })];
    const bob = await device(broker, { id: 'bob' });
    expect(await terminate(broker, 'ann', { reason: 'Signed out' })).toMatchObject({ status: 200, body: {} });
    for (const each of devices) expect(await each.closed()).toEqual({ code: 4009, reason: 'Signed out' });
    expect(await bob.nothing()).toEqual([]);
  });

  test('sends a capable client the reason before it closes', async () => {
    const broker = await startServer();
    const client = await connectCapable(broker);
    await client.signIn('{"id":"ann"}');
    await terminate(broker, 'ann', { reason: 'Signed out' });
    expect(await client.next()).toBe(frames.terminated('Signed out', 'terminated'));
    expect(await client.closed()).toEqual({ code: 4009, reason: 'Signed out' });
  });

  test('cuts a reason that no close frame holds at a whole character', async () => {
    const broker = await startServer();
    const ann = await device(broker, { id: 'ann' });
    await terminate(broker, 'ann', { reason: 'ö'.repeat(100) });
    expect(await ann.closed()).toEqual({ code: 4009, reason: 'ö'.repeat(61) });
  });

  test('blocks the user for the given time', async () => {
    let now = 1_700_000_000_000;
    const broker = await startServer({ parts: { now: () => now, monotonic: () => now } });
    const query = { auth_timestamp: String(now / 1000) };
    await request(broker, 'POST', '/users/ann/terminate_connections', {
      body: { reason: 'Rude', block: 60 },
      query,
    });
    const ann = await connect(broker);
    expect(await ann.signIn('{"id":"ann"}')).toBe(frames.error(4009, 'Rude', 'blocked'));
    expect(await ann.join('presence-a', { user_id: 'ann' })).toBe(
      frames.subscriptionError('presence-a', 'AuthError', 'Rude', 403, 'blocked'),
    );
    expect(await ann.join('private-a')).toBe(frames.subscribed('private-a'));
    now += 60_000;
    expect(await ann.join('presence-a', { user_id: 'ann' })).toBe(
      frames.presence('presence-a', [['ann', null]]),
    );
  });

  test('refuses a reason or a block that is none', async () => {
    const broker = await startServer();
    for (const body of [{ reason: 7 }, { block: 0 }, { block: 1.5 }, { reason: '' }]) {
      expect((await terminate(broker, 'ann', body)).status).toBe(400);
    }
  });
});

describe('to end a subscription', () => {
  test('takes effect at once, for all connections of a member', async () => {
    const broker = await startServer();
    const bob = await connect(broker);
    await bob.join('presence-a', { user_id: 'bob' });
    const ann = [await connect(broker), await connect(broker)];
    for (const each of ann) await each.join('presence-a', { user_id: 'ann' });
    await bob.next();
    expect((await remove(broker, 'presence-a', { user_id: 'ann', reason: 'Rude' })).body).toEqual({
      removed: 2,
    });
    for (const each of ann) {
      expect(await each.next()).toBe(
        frames.subscriptionError('presence-a', 'AuthError', 'Rude', 403, 'grant_revoked'),
      );
    }
    expect(await bob.next()).toBe(frames.memberRemoved('presence-a', 'ann'));
    await publish(broker, 'presence-a', 'e', '1');
    for (const each of ann) expect(await each.nothing()).toEqual([]);
    expect(await bob.next()).toBe(frames.event('e', 'presence-a', '1'));
  });

  test('holds for the rest of the connection, and not for another one', async () => {
    const broker = await startServer();
    const ann = await connect(broker);
    await ann.join('private-a');
    await remove(broker, 'private-a', { socket_id: ann.socketId, reason: 'Enough' });
    const refused = frames.subscriptionError('private-a', 'AuthError', 'Enough', 403, 'grant_revoked');
    expect(await ann.next()).toBe(refused);
    expect(await ann.join('private-a')).toBe(refused);
    expect(await ann.join('private-b')).toBe(frames.subscribed('private-b'));
    expect(await (await connect(broker)).join('private-a')).toBe(frames.subscribed('private-a'));
  });

  test('finds the private channels of a signed-in user, and blocks the user on every connection', async () => {
    let now = 1_700_000_000_000;
    const broker = await startServer({ parts: { now: () => now, monotonic: () => now } });
    const query = { auth_timestamp: String(now / 1000) };
    const ann = await device(broker, { id: 'ann' });
    await ann.join('private-a');
    const body = { user_id: 'ann', reason: 'Enough', block: 60 };
    const path = '/channels/private-a/subscriptions/remove';
    expect((await request(broker, 'POST', path, { body, query })).body).toEqual({ removed: 1 });
    const refused = (code: string) => frames.subscriptionError('private-a', 'AuthError', 'Enough', 403, code);
    expect(await ann.next()).toBe(refused('grant_revoked'));
    const other = await device(broker, { id: 'ann' });
    expect(await other.join('private-a')).toBe(refused('blocked'));
    expect(await other.join('private-b')).toBe(frames.subscribed('private-b'));
    now += 60_000;
    expect(await other.join('private-a')).toBe(frames.subscribed('private-a'));
  });

  test('of an unknown user ends nothing', async () => {
    const broker = await startServer();
    expect((await remove(broker, 'private-a', { user_id: 'ann' })).body).toEqual({ removed: 0 });
  });

  test('needs either a user or a connection', async () => {
    const broker = await startServer();
    const wrong = [
      {},
      { user_id: 'a', socket_id: '1.1' },
      { socket_id: 'x' },
      { socket_id: '1.1', block: 5 },
    ];
    for (const body of wrong) expect((await remove(broker, 'private-a', body)).status).toBe(400);
  });
});

describe('a watchlist', () => {
  test('reports the state of its users and each change of it, however many devices they have', async () => {
    const broker = await startServer();
    await device(broker, { id: 'amy' });
    const watcher = await device(broker, { id: 'bob', watchlist: ['amy', 'cid'] });
    expect(await watcher.next()).toBe(frames.watchlist({ online: ['amy'], offline: ['cid'] }));
    const first = await device(broker, { id: 'cid' });
    expect(await watcher.next()).toBe(frames.watchlist({ online: ['cid'] }));
    const second = await device(broker, { id: 'cid' });
    first.close();
    expect(await watcher.nothing()).toEqual([]);
    second.close();
    expect(await watcher.next()).toBe(frames.watchlist({ offline: ['cid'] }));
  });

  test('is followed on every device of the watcher', async () => {
    const broker = await startServer();
    const watchers = [
      await device(broker, { id: 'bob', watchlist: ['amy'] }),
      await device(broker, { id: 'bob', watchlist: ['amy'] }),
    ];
    for (const watcher of watchers) await watcher.next();
    await device(broker, { id: 'amy' });
    for (const watcher of watchers) expect(await watcher.next()).toBe(frames.watchlist({ online: ['amy'] }));
  });

  test('is replaced by another sign-in', async () => {
    const broker = await startServer();
    const watcher = await device(broker, { id: 'bob', watchlist: ['amy'] });
    await watcher.next();
    await watcher.signIn('{"id":"bob","watchlist":["cid"]}');
    expect(await watcher.next()).toBe(frames.watchlist({ offline: ['cid'] }));
    await device(broker, { id: 'amy' });
    await device(broker, { id: 'cid' });
    expect(await watcher.next()).toBe(frames.watchlist({ online: ['cid'] }));
  });

  test('of more than 100 users is cut, and the client gets an error', async () => {
    const broker = await startServer({ limits: { presenceMemberBytes: 4096 } });
    const ids = Array.from({ length: 101 }, (_, index) => `u${index}`);
    const watcher = await connect(broker);
    const signedIn = await watcher.signIn(JSON.stringify({ id: 'bob', watchlist: ids }));
    expect(signedIn).toContain('pusher:signin_success');
    expect(await watcher.next()).toBe(
      frames.error(4302, 'The watchlist is cut: it may have 100 users', 'watchlist_cut'),
    );
    expect(await watcher.next()).toBe(frames.watchlist({ offline: ids.slice(0, 100) }));
  });
});

describe('an app that requires to know its users', () => {
  const start = async () => {
    const clock = { now: 1_700_000_000_000 };
    const app = { requireUserAuthentication: true };
    const broker = await startServer({ app, parts: { monotonic: () => clock.now } });
    return { broker, pass: (ms: number) => (clock.now += ms) };
  };
  const late = 'Connection not authorized within timeout: ';

  test('closes a connection without a proof in time', async () => {
    const { broker, pass } = await start();
    const client = await connect(broker);
    await client.join('news');
    pass(30_000);
    expect(await client.closed()).toEqual({
      code: 4009,
      reason: `${late}no sign-in and no authorized channel within 30 seconds`,
    });
  });

  test('says so if a proof was refused', async () => {
    const { broker, pass } = await start();
    const client = await connect(broker);
    client.subscribe('private-a', { auth: `${APP.key}:${'0'.repeat(64)}` });
    await client.next();
    pass(30_000);
    expect(await client.closed()).toEqual({
      code: 4009,
      reason: `${late}the last proof was refused: Invalid signature`,
    });
  });

  test('says so if a proof came too late', async () => {
    const { broker, pass } = await start();
    const client = await connect(broker);
    pass(30_000);
    client.signIn('{"id":"ann"}').catch(() => {});
    expect((await client.closed()).reason).toMatch(/too late|no sign-in/);
  });

  test('keeps a connection that signed in or subscribed to a private channel', async () => {
    const { broker, pass } = await start();
    const ann = await device(broker, { id: 'ann' });
    const bob = await connect(broker);
    await bob.join('private-a');
    const nobody = await connect(broker);
    pass(30_000);
    await nobody.closed();
    expect(await ann.nothing()).toEqual([]);
    expect(await bob.nothing()).toEqual([]);
  });
});
