/** What works between the unmodified `pusher-js`, a backend and the broker; the backend with either server library. */
import { describe, expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import {
  backendWithoutMembers,
  officialBackend,
  ourBackend,
  pusherFor,
  startBackend,
} from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { listen, listenToAll, listenWithMetadata } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, signIn } from '../helpers/clients/official.ts';

describe.each([
  ['the official library', officialBackend],
  ['our router', ourBackend],
])('with a backend of %s', (_name, startBackendFor) => {
  async function start(settings?: Parameters<typeof startServer>[0]) {
    const server = await startServer(settings);
    const backend = await startBackendFor(server);
    const connect = (user: string) => connectPusher(server, { backend, user });
    return { server, connect };
  }

  test('a private channel delivers what is published', async () => {
    const { server, connect } = await start();
    const events = listenToAll(await join(await connect('ann'), 'private-room'));
    await publish(server, 'private-room', 'greeting', '{"text":"hello"}');
    expect(await events.next()).toEqual(['greeting', { text: 'hello' }]);
  });

  test('who may not join is refused by the backend and can be let in later', async () => {
    const { connect } = await start();
    const client = await connect('ann');
    const channel = client.subscribe('private-forbidden');
    const errors = listen(channel, 'pusher:subscription_error');
    expect(await errors.next()).toMatchObject({ type: 'AuthError', status: 403 });
    client.subscribe('private-forbidden');
    expect(await errors.next()).toMatchObject({ type: 'AuthError', status: 403 });
    await join(client, 'private-room');
  });

  test('a signature of another secret is refused by the broker', async () => {
    const { server } = await start();
    const backend = await startBackendFor(server, { secret: 'another' });
    const client = await connectPusher(server, { backend, user: 'ann' });
    const errors = listen(client.subscribe('private-room'), 'pusher:subscription_error');
    expect(await errors.next()).toEqual({
      type: 'AuthError',
      error: 'Invalid signature',
      status: 401,
      code: 'invalid_signature',
    });
    await join(client, 'news');
  });

  test('a presence channel knows who is in it, who comes and who goes', async () => {
    const { connect } = await start();
    const ann = await join(await connect('ann'), 'presence-lobby');
    expect(ann.members.me).toEqual({ id: 'ann', info: { name: 'ANN' } });
    const [added, removed] = [listen(ann, 'pusher:member_added'), listen(ann, 'pusher:member_removed')];

    const bobsClient = await connect('bob');
    const bob = await join(bobsClient, 'presence-lobby');
    expect(await added.next()).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect([bob.members.count, ann.members.count]).toEqual([2, 2]);
    expect(bob.members.members).toEqual({ ann: { name: 'ANN' }, bob: { name: 'BOB' } });

    bobsClient.disconnect();
    expect(await removed.next()).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect(ann.members.count).toBe(1);
  });

  test('two connections of one user are one member', async () => {
    const { connect } = await start();
    const ann = await join(await connect('ann'), 'presence-lobby');
    const events = listenToAll(ann);
    const [first, second] = [await connect('bob'), await connect('bob')];
    await join(first, 'presence-lobby');
    await join(second, 'presence-lobby');
    first.disconnect();
    await join(await connect('eve'), 'presence-lobby');
    second.disconnect();
    expect(await events.next()).toEqual(['pusher:member_added', { id: 'bob', info: { name: 'BOB' } }]);
    expect(await events.next()).toEqual(['pusher:member_added', { id: 'eve', info: { name: 'EVE' } }]);
    expect(await events.next()).toEqual(['pusher:member_removed', { id: 'bob', info: { name: 'BOB' } }]);
  });

  test('client events reach the others on a private channel', async () => {
    const { connect } = await start();
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    const own = await join(ann, 'private-room');
    const echoes = listenToAll(own);
    const events = listenWithMetadata(await join(bob, 'private-room'), 'client-typing');
    expect(own.trigger('client-typing', { on: true })).toBe(true);
    expect(await events.next()).toEqual([{ on: true }, {}]);
    bob.channel('private-room').trigger('client-answer', 'seen');
    expect(await echoes.next()).toEqual(['client-answer', 'seen']);
  });

  test('client events tell their sender on a presence channel', async () => {
    const { connect } = await start();
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    const own = await join(ann, 'presence-lobby');
    const events = listenWithMetadata(await join(bob, 'presence-lobby'), 'client-typing');
    own.trigger('client-typing', { on: true });
    expect(await events.next()).toEqual([{ on: true }, { user_id: 'ann' }]);
  });

  test('too many client events are reported with 4301 and the connection stays', async () => {
    const { connect } = await start({ limits: { clientEventsPerSecond: 1 } });
    const client = await connect('ann');
    const channel = await join(client, 'private-room');
    const errors = listen(client.connection, 'error');
    channel.trigger('client-typing', {});
    channel.trigger('client-typing', {});
    expect(await errors.next()).toMatchObject({ type: 'PusherError', data: { code: 4301 } });
    await join(client, 'news');
  });

  test('an encrypted channel delivers what the publisher sealed', async () => {
    const { server, connect } = await start();
    const client = await connect('ann');
    const events = listenToAll(await join(client, 'private-encrypted-room'));
    const frames = listen<{ data: object }>(client.connection, 'message');
    await pusherFor(server).trigger('private-encrypted-room', 'secret', { text: 'hello 漢字' });
    expect(await events.next()).toEqual(['secret', { text: 'hello 漢字' }]);
    expect(Object.keys((await frames.next()).data)).toEqual(['nonce', 'ciphertext']);
  });

  test.each(['private-cache-room', 'presence-cache-room', 'private-encrypted-cache-room'])(
    '%s remembers the last event',
    async (name) => {
      const { server, connect } = await start();
      const misses = listen((await connect('ann')).subscribe(name), 'pusher:cache_miss');
      expect(await misses.next()).toEqual({});
      await pusherFor(server).trigger(name, 'headline', { n: 1 });
      const hits = listen((await connect('bob')).subscribe(name), 'headline');
      expect(await hits.next()).toEqual({ n: 1 });
    },
  );

  test('a signed-in user gets what is sent to him, on all his connections', async () => {
    const { server, connect } = await start();
    const clients = [await connect('ann'), await connect('ann'), await connect('bob')];
    await Promise.all(clients.map(signIn));
    expect(clients[0]!.user.user_data).toEqual({ id: 'ann', user_info: { name: 'ANN' } });
    const [first, second, other] = clients.map((client) => listenToAll(client.user));
    await pusherFor(server).sendToUser('ann', 'hint', { n: 1 });
    await pusherFor(server).sendToUser('bob', 'marker', {});
    expect(await first!.next()).toEqual(['hint', { n: 1 }]);
    expect(await second!.next()).toEqual(['hint', { n: 1 }]);
    expect(await other!.next()).toEqual(['marker', {}]);
  });

  test('terminating a user closes his connections for good, and nobody else’s', async () => {
    const { server, connect } = await start();
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    await Promise.all([signIn(ann), signIn(bob)]);
    const states = listen(ann.connection, 'state_change');
    await pusherFor(server).terminateUserConnections('ann');
    expect(await states.next()).toEqual({ previous: 'connected', current: 'disconnected' });
    await join(bob, 'news');
  });

  test('who is not signed in at the backend cannot sign in', async () => {
    const { connect } = await start();
    const client = await connect('');
    const errors = listen<{ type: string; status: number }>(client.user, 'pusher:signin_error');
    client.signin();
    const error = await errors.next();
    expect(error.type).toBe('AuthError');
    expect([401, 403]).toContain(error.status);
    await join(client, 'news');
  });
});

test('a presence channel takes the signed-in user where the backend names none', async () => {
  const server = await startServer();
  const client = await connectPusher(server, { backend: await backendWithoutMembers(server) });
  client.signin();
  const lobby = await join(client, 'presence-lobby');
  expect(lobby.members.me).toEqual({ id: 'zoe', info: { name: 'Zoë' } });
});

test('a grant without a signature is refused by the broker', async () => {
  const server = await startServer();
  const backend = await startBackend((app) => {
    app.use((_req, res) => {
      res.json({});
    });
  });
  const client = await connectPusher(server, { backend });
  const errors = listen(client.subscribe('private-room'), 'pusher:subscription_error');
  expect(await errors.next()).toEqual({
    type: 'AuthError',
    error: 'Auth info required to subscribe',
    status: 401,
    code: 'missing_auth',
  });
});
