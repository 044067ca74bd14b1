/** What a key has signed ends with it. */
import { bodyMd5, canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import type { Options } from 'pusher-js';
import { describe, expect, test } from 'vitest';
import { MemoryAdapter } from '#server/adapter/memory/adapter';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { APP, type Credentials, configOf, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize, connect, type Received, type TestClient } from '../helpers/clients/client.ts';
import { connectPusher } from '../helpers/clients/official.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';

const LEAKED = { ...APP, key: 'key-leaked', secret: 'a secret that has leaked' } as const;
const ended = (channel: string) =>
  frames.subscriptionError(
    channel,
    'AuthError',
    'The key that signed the subscription was removed',
    401,
    'key_removed',
  );
const has = (text: string) => (received: Received) => typeof received === 'string' && received.includes(text);

const keysOf = (...keys: readonly Credentials[]) => keys.map(({ key, secret }) => ({ key, secret }));
const both = { keys: keysOf(APP, LEAKED) };
const start = () => startServer({ app: both });

function removeKey(broker: Broker): void {
  broker.reload(configOf({ app: { keys: keysOf(APP) } }).apps);
}

/** A client that connects by one key, with signatures of another. */
async function connectFor(
  broker: Pick<Broker, 'host' | 'port' | 'url'>,
  signer: Credentials,
): Promise<TestClient> {
  const client = await connect(broker);
  client.credentials = signer;
  return client;
}

describe('the removal of a key', () => {
  test('ends the subscriptions that it signed, and no others', async () => {
    const broker = await start();
    const [thief, ann] = [await connectFor(broker, LEAKED), await connectFor(broker, APP)];
    await thief.join('private-a');
    await thief.join('news');
    await ann.join('private-a');
    await ann.join('presence-room', { user_id: 'ann' });
    await thief.join('presence-room', { user_id: 'thief' });
    await ann.next();
    removeKey(broker);

    expect([await thief.next(), await thief.next()].sort()).toEqual(
      [ended('private-a'), ended('presence-room')].sort(),
    );
    expect(await ann.next()).toBe(frames.memberRemoved('presence-room', 'thief'));
    for (const channel of ['private-a', 'presence-room', 'news'])
      await publish(broker, channel, 'e', channel);
    expect(await thief.next()).toBe(frames.event('e', 'news', 'news'));
    expect(await thief.nothing()).toEqual([]);
    expect(await ann.next()).toBe(frames.event('e', 'private-a', 'private-a'));
    expect((await request(broker, 'GET', '/channels/presence-room/users')).body).toEqual({
      users: [{ id: 'ann' }],
    });
    expect(
      (await request(broker, 'GET', '/channels', { query: { filter_by_prefix: 'private-' } })).body,
    ).toEqual({
      channels: { 'private-a': {} },
    });
  });

  test('leaves the connection free to subscribe again by another key', async () => {
    const broker = await start();
    const client = await connectFor(broker, LEAKED);
    await client.join('presence-room', { user_id: 'ann' });
    removeKey(broker);
    expect(await client.next()).toBe(ended('presence-room'));
    client.credentials = APP;
    expect(await client.join('presence-room', { user_id: 'ann' })).toBe(
      frames.presence('presence-room', [['ann', null]]),
    );
    removeKey(broker);
    expect(await client.nothing()).toEqual([]);
  });

  test('is what a new secret is, too', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.join('private-a');
    broker.reload(configOf({ app: { keys: keysOf(APP), name: 'Renamed' } }).apps);
    expect(await client.nothing()).toEqual([]);
    broker.reload(configOf({ app: { keys: keysOf({ ...APP, secret: 'another secret' }) } }).apps);
    expect(await client.next()).toBe(ended('private-a'));
  });

  test('leaves a subscription that another key has signed again, for the same member', async () => {
    const broker = await start();
    const client = await connectFor(broker, LEAKED);
    for (const id of ['ann', 'bob']) await client.join(`presence-${id}`, { user_id: 'ann' });
    client.credentials = APP;
    await client.join('presence-ann', { user_id: 'ann' });
    await client.join('presence-bob', { user_id: 'bob' });
    removeKey(broker);
    expect(await client.next()).toBe(ended('presence-bob'));
    expect(await client.nothing()).toEqual([]);
  });

  test('closes a connection whose sign-in it signed, and no other', async () => {
    const broker = await start();
    const [thief, ann] = [await connectFor(broker, LEAKED), await connectFor(broker, APP)];
    for (const client of [thief, ann]) {
      await client.signIn({ id: 'ann' });
      await client.join('#server-to-user-ann');
    }
    removeKey(broker);
    expect(await thief.closed()).toEqual({
      code: 4009,
      reason: 'The key that signed the sign-in was removed',
    });
    expect(await ann.nothing()).toEqual([]);
    await eventually(async () => {
      const { body } = await request(broker, 'GET', '/users/ann');
      expect(body).toMatchObject({ connections: [{ socket_id: ann.socketId }] });
    });
  });

  test('keeps a connection that signed in again by another key', async () => {
    const broker = await start();
    const client = await connectFor(broker, LEAKED);
    await client.signIn({ id: 'ann' });
    client.credentials = APP;
    await client.signIn({ id: 'ann' });
    removeKey(broker);
    expect(await client.nothing()).toEqual([]);
  });

  test('reaches pusher-js as an error of the subscription', async () => {
    const broker = await start();
    const channelAuthorization: NonNullable<Options['channelAuthorization']> = {
      transport: 'ajax',
      endpoint: '',
      customHandler: ({ socketId, channelName }, done) =>
        done(null, { auth: authorize(socketId, channelName, undefined, LEAKED) }),
    };
    const pusher = await connectPusher(broker, { channelAuthorization });
    const channel = pusher.subscribe('private-a');
    await new Promise((resolve) => channel.bind('pusher:subscription_succeeded', resolve));
    const told = new Promise((resolve) => channel.bind('pusher:subscription_error', resolve));
    removeKey(broker);
    expect(await told).toMatchObject({ type: 'AuthError', status: 401 });
    expect(pusher.connection.state).toBe('connected');
  });

  test('ends what was signed on each worker', async () => {
    const group = await startWorkers({ app: both });
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    for (const client of clients) {
      client.credentials = LEAKED;
      await client.join('private-a');
    }
    const member = await group.connectTo(1);
    member.credentials = LEAKED;
    await member.signIn({ id: 'ann' });
    group.configure({ app: { keys: keysOf(APP) } });
    group.cli.signal('SIGHUP');
    for (const client of clients) expect(await client.next()).toBe(ended('private-a'));
    expect(await member.closed()).toMatchObject({ code: 4009 });
    await eventually(async () =>
      expect((await request(group, 'GET', '/channels')).body).toEqual({ channels: {} }),
    );
  });

  test('ends what is signed at the same moment, however long it takes', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 5; round += 1) {
      const broker = await startServer({
        app: both,
        parts: { adapter: new DelayedAdapter(new MemoryAdapter()) },
      });
      const clients = await Promise.all(Array.from({ length: 20 }, () => connectFor(broker, LEAKED)));
      const removed = new Promise<void>((resolve) => {
        setTimeout(() => {
          removeKey(broker);
          resolve();
        }, Math.random() * 10);
      });
      const ends = clients.map(async (client, n) => {
        if (n % 2 > 0) {
          const answer = await client.signIn({ id: 'ann' });
          return has('signin_success')(answer) ? (await client.closed()).code : answer;
        }
        const answer = await client.join('presence-room', { user_id: `user-${n}` });
        if (has('subscription_succeeded')(answer)) await client.until(has('subscription_error'));
        return undefined;
      });
      await Promise.all([removed, ...ends]);
      await eventually(async () => {
        expect((await request(broker, 'GET', '/channels')).body).toEqual({ channels: {} });
        expect((await request(broker, 'GET', '/users')).body).toEqual({ users: [] });
      });
    }
  });

  test('refuses a request whose body ends after it', async () => {
    const broker = await start();
    const body = JSON.stringify({ name: 'e', data: '', channel: 'news' });
    const parameters = {
      auth_key: LEAKED.key,
      auth_timestamp: String(Math.floor(Date.now() / 1000)),
      auth_version: '1.0',
      body_md5: bodyMd5(body),
    };
    const path = `/apps/${APP.id}/events`;
    const signature = sign(
      LEAKED.secret,
      requestText('POST', path, canonicalQuery(Object.entries(parameters))),
    );
    const query = new URLSearchParams({ ...parameters, auth_signature: signature });
    let finish = (): void => {};
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(body.slice(0, 5)));
        finish = () => {
          controller.enqueue(new TextEncoder().encode(body.slice(5)));
          controller.close();
        };
      },
    });
    const asked = fetch(`${broker.url}${path}?${query}`, { method: 'POST', body: stream, duplex: 'half' });
    // The broker has begun to serve it once a later request is answered.
    await request(broker, 'GET', '/channels');
    removeKey(broker);
    finish();
    expect((await asked).status).toBe(401);
  });
});
