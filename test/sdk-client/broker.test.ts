import { Countersign, type CountersignOptions, type SubscriptionError } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import { authRouter } from '@countersign/sdk-server/express';
import type { Broker } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type BackendOf,
  countersignFor,
  officialBackend,
  ourBackend,
  pusherFor,
  startBackend,
} from '../helpers/brokers/backend.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { nextEvent, recorded } from '../helpers/clients/client-start.ts';

/** Our client of a broker, as the user that the backend is told. */
function connect(
  broker: Broker,
  { backend, user, ...options }: { backend?: string; user?: string } & Partial<CountersignOptions> = {},
): Countersign {
  const headers = { ...(user && { 'x-user': user }) };
  const client = new Countersign(APP.key, {
    host: broker.host,
    port: broker.port,
    forceTLS: false,
    channelAuthorization: { endpoint: `${backend}/auth`, headers },
    userAuthentication: { endpoint: `${backend}/user-auth`, headers },
    reconnect: { minDelay: 10, maxDelay: 100 },
    ...options,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

async function subscribed(client: Countersign, name: string) {
  const channel = client.subscribe(name);
  await nextEvent(channel, 'pusher:subscription_succeeded');
  return channel;
}

test('a public channel delivers what either server library publishes', async () => {
  const broker = await startServer();
  const channel = await subscribed(connect(broker), 'news');
  const ours = nextEvent(channel, 'headline');
  await countersignFor(broker).trigger('news', 'headline', { title: 'Grüße 🚀' });
  expect(await ours).toEqual({ title: 'Grüße 🚀' });
  const official = nextEvent(channel, 'headline');
  await pusherFor(broker).trigger('news', 'headline', 'text');
  expect(await official).toBe('text');
});

test('the excluded socket receives nothing', async () => {
  const broker = await startServer();
  const client = connect(broker);
  const channel = await subscribed(client, 'news');
  const events = recorded(channel);
  const marker = nextEvent(channel, 'marker');
  const socketId = client.connection.socket_id ?? '';
  await countersignFor(broker).trigger('news', 'mine', {}, { socketId });
  await countersignFor(broker).trigger('news', 'marker', {});
  await marker;
  expect(events.map(({ event }) => event)).toEqual(['marker']);
});

test('an unknown key stops the client and says why', async () => {
  const broker = await startServer();
  const client = new Countersign('no-such-key', { host: broker.host, port: broker.port, forceTLS: false });
  onTestFinished(() => client.disconnect());
  const error = await nextEvent(client.connection, 'error');
  expect(error).toMatchObject({ type: 'PusherError', data: { code: 4001 } });
  expect(client.connection.state).toBe('disconnected');
});

describe.each<[string, BackendOf]>([
  ['our router', ourBackend],
  ['the official library', officialBackend],
])('authorized by %s', (_, backendOf) => {
  test('private channels: joined, refused, and client events between them', async () => {
    const broker = await startServer();
    const backend = await backendOf(broker);
    const ann = connect(broker, { backend, user: 'ann' });
    const annsRoom = await subscribed(ann, 'private-room');
    const bobsRoom = await subscribed(connect(broker, { backend, user: 'bob' }), 'private-room');
    const typing = nextEvent(bobsRoom, 'client-typing');
    expect(await annsRoom.trigger('client-typing', { on: true })).toEqual({});
    expect(await typing).toEqual({ on: true });
    const refused = nextEvent<SubscriptionError>(
      ann.subscribe('private-forbidden'),
      'pusher:subscription_error',
    );
    expect(await refused).toMatchObject({ type: 'EndpointError', status: 403 });
    expect(ann.connection.state).toBe('connected');
  });

  test('presence channels: members come and go, and client events name their sender', async () => {
    const broker = await startServer();
    const backend = await backendOf(broker);
    const ann = connect(broker, { backend, user: 'ann' }).subscribe('presence-lobby');
    await nextEvent(ann, 'pusher:subscription_succeeded');
    const added = nextEvent(ann, 'pusher:member_added');
    const bob = connect(broker, { backend, user: 'bob' });
    const bobsLobby = bob.subscribe('presence-lobby');
    await nextEvent(bobsLobby, 'pusher:subscription_succeeded');
    expect(await added).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect(bobsLobby.members.me).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect(bobsLobby.members.count).toBe(2);
    const sender = new Promise((resolve) =>
      ann.bind('client-wave', (_data, { user_id }) => resolve(user_id)),
    );
    void bobsLobby.trigger('client-wave', {});
    expect(await sender).toBe('bob');
    const removed = nextEvent(ann, 'pusher:member_removed');
    bob.disconnect();
    expect(await removed).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect(ann.members.count).toBe(1);
  });

  test('encrypted channels: either server library’s events open', async () => {
    const broker = await startServer();
    const client = connect(broker, { backend: await backendOf(broker), user: 'ann', encryption });
    const channel = await subscribed(client, 'private-encrypted-room');
    for (const publisher of [countersignFor(broker), pusherFor(broker)]) {
      const secret = nextEvent(channel, 'secret');
      await publisher.trigger('private-encrypted-room', 'secret', { text: '漢字 🚀' });
      expect(await secret).toEqual({ text: '漢字 🚀' });
    }
  });

  test('sign-in: messages to the user arrive', async () => {
    const broker = await startServer();
    const client = connect(broker, { backend: await backendOf(broker), user: 'ann' });
    expect(await client.signin()).toMatchObject({ id: 'ann', user_info: { name: 'ANN' } });
    // The broker answers in order, so the user's own channel is joined before this one.
    await subscribed(client, 'news');
    const notice = nextEvent(client.user, 'notice');
    await countersignFor(broker).sendToUser('ann', 'notice', { text: 'hello' });
    expect(await notice).toEqual({ text: 'hello' });
  });

  test('sign-in: a signature by another secret is refused, and the connection stays', async () => {
    const broker = await startServer();
    const backend = await backendOf(broker, { secret: 'another-secret' });
    const client = connect(broker, { backend, user: 'ann' });
    await expect(client.signin()).rejects.toMatchObject({ code: 'signin_refused' });
    const refused = nextEvent(client.subscribe('private-room'), 'pusher:subscription_error');
    expect(await refused).toMatchObject({ type: 'AuthError', status: 401 });
    expect(client.connection.state).toBe('connected');
  });
});

test('a signed-in user joins a presence channel without channel data', async () => {
  const broker = await startServer();
  const client = connect(broker, {
    backend: await ourBackend(broker),
    user: 'ann',
    channelAuthorization: {
      // The official library signs the name alone when it is given no member.
      customHandler: async ({ socketId, channelName }) =>
        pusherFor(broker).authorizeChannel(socketId, channelName),
    },
  });
  void client.signin();
  const lobby = client.subscribe('presence-lobby');
  await nextEvent(lobby, 'pusher:subscription_succeeded');
  expect(lobby.members.me).toEqual({ id: 'ann', info: { name: 'ANN' } });
});

test('a cache channel brings the last event, or says that there is none', async () => {
  const broker = await startServer();
  const client = connect(broker);
  const missed = nextEvent(client.subscribe('cache-empty'), 'pusher:cache_miss');
  await missed;
  await countersignFor(broker).trigger('cache-scores', 'score', { goals: 3 });
  expect(await nextEvent(client.subscribe('cache-scores'), 'score')).toEqual({ goals: 3 });
});

test('after the broker drains and another takes its place, everything is as before', async () => {
  const first = await startServer();
  const backend = await ourBackend(first);
  const client = connect(first, { backend, user: 'ann' });
  const presence = client.subscribe('presence-lobby');
  await nextEvent(presence, 'pusher:subscription_succeeded');
  await client.signin();
  const before = client.connection.socket_id;
  const resubscribed = nextEvent(presence, 'pusher:subscription_succeeded');
  const signedIn = nextEvent(client.user, 'pusher:signin_success');
  await first.drain();
  const second = await startServer({ config: { port: first.port } });
  await Promise.all([resubscribed, signedIn]);
  expect(client.connection.socket_id).not.toBe(before);
  expect(presence.members.me?.id).toBe('ann');
  await subscribed(client, 'news');
  const notice = nextEvent(client.user, 'notice');
  await countersignFor(second).sendToUser('ann', 'notice', 1);
  expect(await notice).toBe(1);
});

test('subscribe and unsubscribe in any haste end as the last word says', async () => {
  const broker = await startServer();
  const client = connect(broker);
  await nextEvent(client.connection, 'connected');
  for (let i = 0; i < 20; i++) {
    client.subscribe('news');
    client.unsubscribe('news');
  }
  const channel = await subscribed(client, 'news');
  const headline = nextEvent(channel, 'headline');
  await countersignFor(broker).trigger('news', 'headline', 1);
  expect(await headline).toBe(1);
  client.unsubscribe('news');
  await subscribed(client, 'marker');
  expect(await countersignFor(broker).channels()).toEqual({ channels: { marker: {} } });
});

describe('what the app does to a user', () => {
  test('their connections end with the reason, and stay away', async () => {
    const broker = await startServer();
    const client = connect(broker, { backend: await ourBackend(broker), user: 'ann' });
    await client.signin();
    const terminated = nextEvent(client, 'terminated');
    const disconnected = nextEvent(client.connection, 'disconnected');
    const error = nextEvent(client.connection, 'error');
    const reason = 'Signed out everywhere';
    await countersignFor(broker).terminateUserConnections('ann', { reason });
    expect(await terminated).toEqual({ reason, code: 'terminated' });
    await disconnected;
    const data = { code: 4009, message: reason, error_code: 'terminated' };
    expect(await error).toMatchObject({ type: 'PusherError', data });
  });

  test('one subscription ends, and asking anew on this connection is refused', async () => {
    const broker = await startServer();
    // What our router signs says when it was signed: a second later, it would be a new grant.
    const backend = await officialBackend(broker);
    const ann = connect(broker, { backend, user: 'ann' });
    const lobby = ann.subscribe('presence-lobby');
    await nextEvent(lobby, 'pusher:subscription_succeeded');
    const bob = connect(broker, { backend, user: 'bob' }).subscribe('presence-lobby');
    await nextEvent(bob, 'pusher:subscription_succeeded');
    const left = nextEvent(bob, 'pusher:member_removed');
    const ended = nextEvent(lobby, 'pusher:subscription_error');
    const removal = { userId: 'ann', reason: 'Mind your language' };
    expect(await countersignFor(broker).removeSubscription('presence-lobby', removal)).toBe(1);
    const refusal = { type: 'AuthError', status: 403, message: 'Mind your language' };
    expect(await ended).toMatchObject(refusal);
    expect(await left).toMatchObject({ id: 'ann' });
    expect(lobby.subscribed).toBe(false);
    expect(lobby.members.count).toBe(0);
    const again = nextEvent(lobby, 'pusher:subscription_error');
    ann.subscribe('presence-lobby');
    expect(await again).toMatchObject({ type: 'AuthError', status: 403 });
    expect(ann.connection.state).toBe('connected');
  });

  test('a watchlist reports the users who are online', async () => {
    const broker = await startServer();
    const countersign = countersignFor(broker);
    const watchlist = ['bob', ...Array.from({ length: 100 }, (_, index) => `user-${index}`)];
    const ann = connect(broker, {
      userAuthentication: {
        customHandler: async ({ socketId }) => {
          // Ours refuses so long a list; the official library does not.
          const signed = pusherFor(broker).authenticateUser(socketId, { id: 'ann', watchlist });
          return { auth: signed.auth, user_data: signed.user_data ?? '' };
        },
      },
    });
    const tooLong = nextEvent(ann.connection, 'error');
    await ann.signin();
    expect(await tooLong).toMatchObject({ type: 'PusherError', data: { code: 4302 } });
    const bob = connect(broker, {
      userAuthentication: {
        customHandler: async ({ socketId }) => countersign.authenticateUser(socketId, { id: 'bob' }),
      },
    });
    const online = nextEvent(ann.user.watchlist, 'online');
    await bob.signin();
    expect(await online).toEqual({ name: 'online', user_ids: ['bob'] });
    const offline = nextEvent(ann.user.watchlist, 'offline');
    bob.disconnect();
    expect(await offline).toEqual({ name: 'offline', user_ids: ['bob'] });
  });
});

test('our router authorizes a page of 40 channels by one request, by channel', async () => {
  const broker = await startServer();
  const asked: string[] = [];
  const client = connect(broker, {
    backend: await ourBackend(broker),
    user: 'ann',
    encryption,
    fetch: (url, init) => {
      asked.push(init.body);
      return fetch(url, init);
    },
  });
  const names = Array.from({ length: 38 }, (_, index) => `private-${index}`);
  const joined = [...names, 'presence-lobby', 'private-encrypted-room'].map((name) =>
    nextEvent(client.subscribe(name), 'pusher:subscription_succeeded'),
  );
  const refused = nextEvent(client.subscribe('private-forbidden'), 'pusher:subscription_error');
  await Promise.all(joined);
  expect(await refused).toMatchObject({ type: 'EndpointError', status: 403 });
  expect(asked.length).toBe(1);
});

describe('grants that end', () => {
  /** An endpoint of our router with short lives, which counts what it is asked. */
  async function startShort(broker: Broker, { seconds = 3 } = {}) {
    const app = { requests: 0, status: 200 };
    const url = await startBackend((express) => {
      express.use((_req, res, next) => {
        app.requests++;
        if (app.status === 200) next();
        else res.sendStatus(app.status);
      });
      const router = authRouter(countersignFor(broker), {
        user: () => ({ id: 'ann' }),
        canAccess: () => true,
        grantSeconds: seconds,
        signInSeconds: seconds,
      });
      express.use(router);
    });
    return { url, app };
  }

  test('are renewed with one request for all channels, and no event is missed', async () => {
    const broker = await startServer();
    const { url, app } = await startShort(broker);
    const client = connect(broker, { backend: url });
    const names = ['private-a', 'presence-b', 'private-c'];
    const channels = await Promise.all(names.map((name) => subscribed(client, name)));
    const before = channels.map(({ expiresAt }) => expiresAt);
    const asked = app.requests;
    const events = channels.map(recorded);
    await Promise.all(channels.map((channel) => nextEvent(channel, 'countersign:grant_renewed')));
    expect(app.requests).toBe(asked + 1);
    for (const [index, channel] of channels.entries())
      expect(channel.expiresAt).toBeGreaterThan(before[index] ?? Infinity);
    // Past the first end.
    await expect.poll(() => Date.now() / 1000 > (before[0] ?? Infinity) + 1).toBe(true);
    await countersignFor(broker).trigger(names, 'message', { n: 1 });
    await expect
      .poll(() => events.map((of) => of.some(({ event }) => event === 'message')))
      .toEqual([true, true, true]);
    const kinds = new Set(events.flat().map(({ event }) => event));
    expect([...kinds].sort()).toEqual(['countersign:grant_renewed', 'message']);
    expect(client.connection.state).toBe('connected');
  });

  test('a sign-in is renewed, and stays', async () => {
    const broker = await startServer();
    const { url, app } = await startShort(broker);
    const client = connect(broker, { backend: url });
    await client.signin();
    const events = recorded(client.user);
    const end = Date.now() / 1000 + 3;
    await expect.poll(() => Date.now() / 1000 > end + 2).toBe(true);
    expect(app.requests).toBeGreaterThan(1);
    const mail = nextEvent(client.user, 'mail');
    await countersignFor(broker).sendToUser('ann', 'mail', { n: 1 });
    expect(await mail).toEqual({ n: 1 });
    expect(events).toEqual([{ event: 'mail', data: { n: 1 } }]);
  });

  test('a channel whose endpoint is away expires, and is back when that is', async () => {
    const broker = await startServer();
    const { url, app } = await startShort(broker, { seconds: 2 });
    const client = connect(broker, { backend: url });
    const channel = await subscribed(client, 'private-a');
    const errors = recorded(channel);
    app.status = 503;
    await expect.poll(() => channel.status).toBe('expired');
    expect(errors).toContainEqual({
      event: 'pusher:subscription_error',
      data: expect.objectContaining({
        code: 'grant_expired',
        type: 'GrantExpired',
        retryIn: expect.any(Number),
      }),
    });
    const back = nextEvent(channel, 'pusher:subscription_succeeded');
    app.status = 200;
    await back;
    expect(channel.status).toBe('subscribed');
  });

  test('a channel that the endpoint refuses to renew ends for good', async () => {
    const broker = await startServer();
    const { url, app } = await startShort(broker, { seconds: 2 });
    const channel = await subscribed(connect(broker, { backend: url }), 'private-a');
    const errors = recorded(channel);
    app.status = 403;
    await expect.poll(() => channel.status).toBe('refused');
    expect(errors.map(({ data }) => data)).toMatchObject([
      { status: 403, renewal: true },
      { code: 'grant_expired' },
      { status: 403 },
    ]);
  });
});
