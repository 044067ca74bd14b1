/** What works between the unmodified `pusher-js` and the broker without a backend. */
import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { listen, listenToAll } from '../helpers/clients/event-inbox.ts';
import { connectPusher, join, openPusher } from '../helpers/clients/official.ts';

test('it connects and learns its socket id', async () => {
  const client = openPusher(await startServer());
  const states = listen(client.connection, 'state_change');
  expect(await states.next()).toEqual({ previous: 'connecting', current: 'connected' });
  expect(client.connection.socket_id).toMatch(/^[1-9]\d*\.[1-9]\d*$/);
});

test('its ping is answered', async () => {
  const client = await connectPusher(await startServer());
  const messages = listen(client.connection, 'message');
  client.send_event('pusher:ping', {});
  expect(await messages.next()).toEqual({ event: 'pusher:pong', data: {} });
});

test('a public channel delivers what is published', async () => {
  const server = await startServer();
  const client = await connectPusher(server);
  const events = listenToAll(await join(client, 'news'));
  await publish(server, 'news', 'greeting', '{"text":"hello 漢字 🚀"}');
  await publish(server, 'news', 'text', 'not JSON');
  await publish(server, 'news', 'number', '123');
  await publish(server, 'news', 'empty', '');
  expect(await events.next()).toEqual(['greeting', { text: 'hello 漢字 🚀' }]);
  expect(await events.next()).toEqual(['text', 'not JSON']);
  expect(await events.next()).toEqual(['number', 123]);
  expect(await events.next()).toEqual(['empty', '']);
});

test('a channel that was left delivers nothing more', async () => {
  const server = await startServer();
  const client = await connectPusher(server);
  await join(client, 'news');
  await join(client, 'sports');
  const messages = listen(client.connection, 'message');
  client.unsubscribe('news');
  client.send_event('pusher:ping', {});
  expect(await messages.next()).toMatchObject({ event: 'pusher:pong' });
  await publish(server, 'news', 'unseen', '{}');
  await publish(server, 'sports', 'seen', '{}');
  expect(await messages.next()).toEqual({ event: 'seen', channel: 'sports', data: {} });
});

test('a channel can be left and joined again', async () => {
  const server = await startServer();
  const client = await connectPusher(server);
  await join(client, 'news');
  client.unsubscribe('news');
  const events = listenToAll(await join(client, 'news'));
  await publish(server, 'news', 'again', '1');
  expect(await events.next()).toEqual(['again', 1]);
});

test('200 channels are subscribed at once', async () => {
  const client = openPusher(await startServer());
  const names = Array.from({ length: 200 }, (_, index) => `news-${index}`);
  await Promise.all(names.map((name) => join(client, name)));
  expect(client.allChannels().every((channel) => channel.subscribed)).toBe(true);
});

test('the publisher that names its socket id is left out', async () => {
  const server = await startServer();
  const [publisher, other] = await Promise.all([connectPusher(server), connectPusher(server)]);
  const [own, others] = [listenToAll(await join(publisher, 'news')), listenToAll(await join(other, 'news'))];
  await publish(server, 'news', 'moved', '{"x":1}', { socket_id: publisher.connection.socket_id });
  await publish(server, 'news', 'marker', '{}');
  expect(await own.next()).toEqual(['marker', {}]);
  expect(await others.next()).toEqual(['moved', { x: 1 }]);
});

test('a cache channel tells that it is empty', async () => {
  const server = await startServer();
  const channel = (await connectPusher(server)).subscribe('cache-news');
  const events = listenToAll(channel);
  expect(await events.next()).toEqual(['pusher:subscription_succeeded', {}]);
  expect(await events.next()).toEqual(['pusher:cache_miss', {}]);
});

test('a cache channel delivers the last event to who comes later', async () => {
  const server = await startServer();
  await publish(server, 'cache-news', 'headline', '"old"');
  await publish(server, 'cache-news', 'headline', '"new"');
  const channel = (await connectPusher(server)).subscribe('cache-news');
  const events = listenToAll(channel);
  expect(await events.next()).toEqual(['pusher:subscription_succeeded', {}]);
  expect(await events.next()).toEqual(['headline', 'new']);
});

test('the number of subscriptions is told if the app wants that', async () => {
  const server = await startServer({ app: { subscriptionCount: true } });
  const channel = (await connectPusher(server)).subscribe('news');
  const counts = listen(channel, 'pusher:subscription_count');
  expect(await counts.next()).toEqual({ subscription_count: 1 });
  const second = await connectPusher(server);
  await join(second, 'news');
  expect(await counts.next()).toEqual({ subscription_count: 2 });
  expect(channel.subscriptionCount).toBe(2);
  second.disconnect();
  expect(await counts.next()).toEqual({ subscription_count: 1 });
});

test('a name that is none is refused, and the connection stays', async () => {
  const client = await connectPusher(await startServer());
  const errors = listen(client.subscribe('no spaces'), 'pusher:subscription_error');
  expect(await errors.next()).toEqual({
    type: 'InvalidChannel',
    error: 'Invalid channel name: expected 1 to 200 of A-Z a-z 0-9 _ - = @ , . ;',
    status: 400,
    code: 'invalid_channel',
  });
  await join(client, 'news');
});

test('an event that clients may not send is reported and the connection stays', async () => {
  const client = await connectPusher(await startServer());
  const errors = listen(client.connection, 'error');
  client.send_event('unheard-of', {}, 'news');
  expect(await errors.next()).toEqual({
    type: 'PusherError',
    data: { code: null, message: expect.stringContaining('unheard-of'), error_code: 'unsupported_event' },
  });
  await join(client, 'news');
});
