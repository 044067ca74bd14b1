/**
 * How the unmodified `pusher-js` comes back to the broker, and when it does not: its state is `disconnected` only
 * where it has stopped for good.
 */
import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { officialBackend, pusherFor } from '../helpers/brokers/backend.ts';
import { startCable } from '../helpers/brokers/load-balancer.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { listen, listenToAll } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, openPusher, signIn } from '../helpers/clients/official.ts';

test('after a connection was cut it subscribes to everything and signs in again', async () => {
  const server = await startServer();
  const cable = await startCable(server);
  const client = await connectPusher(cable, { backend: await officialBackend(server), user: 'ann' });
  await signIn(client);
  const [news, lobby] = [await join(client, 'news'), await join(client, 'presence-lobby')];
  const first = client.connection.socket_id;
  const [joinedNews, joinedLobby] = [news, lobby].map((channel) =>
    listen(channel, 'pusher:subscription_succeeded'),
  );
  const [events, userMessages] = [listen(news, 'greeting'), listen(client.user, 'hint')];
  const frames = listen<{ event: string; channel?: string }>(client.connection, 'message');

  cable.cut();
  await Promise.all([joinedNews!.next(), joinedLobby!.next()]);
  await frames.until(
    ({ event, channel }) =>
      event === 'pusher_internal:subscription_succeeded' && channel === '#server-to-user-ann',
  );

  expect(client.connection.socket_id).not.toBe(first);
  await publish(server, 'news', 'greeting', '"welcome back"');
  expect(await events.next()).toBe('welcome back');
  await pusherFor(server).sendToUser('ann', 'hint', 1);
  expect(await userMessages.next()).toBe(1);
});

test('after 4100 it comes back', async () => {
  const server = await startServer({ limits: { framesPerSecond: 1, subscriptionsPerConnection: 4 } });
  const client = await connectPusher(server);
  const channel = await join(client, 'news');
  const [errors, joined] = [
    listen(client.connection, 'error'),
    listen(channel, 'pusher:subscription_succeeded'),
  ];
  for (let sent = 0; sent < 6; sent += 1) client.send_event('pusher:ping', {});
  expect(await errors.next()).toMatchObject({ type: 'PusherError', data: { code: 4100 } });
  await joined.next();
  const events = listenToAll(channel);
  await publish(server, 'news', 'greeting', '1');
  expect(await events.next()).toEqual(['greeting', 1]);
});

test('after a drain it comes back to the next broker', async () => {
  const [old, next] = [await startServer(), await startServer()];
  const cable = await startCable(old);
  const client = await connectPusher(cable);
  const channel = await join(client, 'news');
  const [errors, joined] = [
    listen(client.connection, 'error'),
    listen(channel, 'pusher:subscription_succeeded'),
  ];
  cable.leadTo(next);
  await old.drain();
  expect(await errors.next()).toMatchObject({ type: 'PusherError', data: { code: 4200 } });
  await joined.next();
  const events = listenToAll(channel);
  await publish(next, 'news', 'greeting', '1');
  expect(await events.next()).toEqual(['greeting', 1]);
});

test('a key that no app has stops it for good', async () => {
  const client = openPusher(await startServer(), { key: 'unknown' });
  const [errors, states] = [listen(client.connection, 'error'), listen(client.connection, 'state_change')];
  expect(await errors.next()).toMatchObject({
    type: 'WebSocketError',
    error: { type: 'PusherError', data: { code: 4001 } },
  });
  expect(await states.next()).toEqual({ previous: 'connecting', current: 'disconnected' });
});

test('a key that is taken away stops it for good', async () => {
  const server = await startServer();
  const client = await connectPusher(server);
  const states = listen(client.connection, 'state_change');
  server.reload([]);
  expect(await states.next()).toEqual({ previous: 'connected', current: 'disconnected' });
});

test('an app that is over its quota stops it for good', async () => {
  const server = await startServer({ limits: { connections: 1 } });
  await connectPusher(server);
  const client = openPusher(server);
  const errors = listen(client.connection, 'error');
  expect(await errors.next()).toMatchObject({ error: { data: { code: 4004 } } });
  expect(client.connection.state).toBe('disconnected');
});
