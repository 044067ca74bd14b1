/** What works between the unmodified `laravel-echo` (over `pusher-js`), a backend and the broker. */
import { expect, test } from 'vitest';
import { officialBackend, pusherFor } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { Inbox } from '../helpers/clients/event-inbox.ts';
import { connectEcho } from '../helpers/clients/official.ts';

async function start() {
  const server = await startServer();
  const backend = await officialBackend(server);
  return { pusher: pusherFor(server), connect: (user: string) => connectEcho(server, { backend, user }) };
}

type Echo = Awaited<ReturnType<typeof connectEcho>>;

/** Waits until a channel of Echo is subscribed. */
async function joined<Channel extends { subscribed(callback: () => void): unknown }>(channel: Channel) {
  const inbox = new Inbox<void>('subscribed');
  channel.subscribed(() => inbox.put());
  await inbox.next();
  return channel;
}

/** Keeps what `listen` of a channel delivers. */
function hear(channel: { listen(event: string, callback: (data: unknown) => void): unknown }, event: string) {
  const inbox = new Inbox<unknown>(event);
  channel.listen(event, inbox.put);
  return inbox;
}

test('a public channel hears events by their class names', async () => {
  const { pusher, connect } = await start();
  const channel = await joined((await connect('ann')).channel('orders'));
  const [short, full, plain] = [
    hear(channel, 'OrderShipped'),
    hear(channel, '.App\\Events\\OrderShipped'),
    hear(channel, '.order.shipped'),
  ];
  await pusher.trigger('orders', 'App\\Events\\OrderShipped', { id: 7 });
  await pusher.trigger('orders', 'order.shipped', { id: 8 });
  expect(await short.next()).toEqual({ id: 7 });
  expect(await full.next()).toEqual({ id: 7 });
  expect(await plain.next()).toEqual({ id: 8 });
});

test('a private channel hears events', async () => {
  const { pusher, connect } = await start();
  const channel = await joined((await connect('ann')).private('orders'));
  const events = hear(channel, 'OrderShipped');
  await pusher.trigger('private-orders', 'App\\Events\\OrderShipped', { id: 7 });
  expect(await events.next()).toEqual({ id: 7 });
});

test('an encrypted channel hears events', async () => {
  const { pusher, connect } = await start();
  const channel = await joined((await connect('ann')).encryptedPrivate('orders'));
  const events = hear(channel, 'OrderShipped');
  await pusher.trigger('private-encrypted-orders', 'App\\Events\\OrderShipped', { id: 7 });
  expect(await events.next()).toEqual({ id: 7 });
});

test('listenToAll hears every event of the app', async () => {
  const { pusher, connect } = await start();
  const channel = await joined((await connect('ann')).channel('orders'));
  const events = new Inbox<[string, unknown]>('any event');
  channel.listenToAll((event: string, data: unknown) => events.put([event, data]));
  await pusher.trigger('orders', 'App\\Events\\OrderShipped', { id: 7 });
  await pusher.trigger('orders', 'plain', { id: 8 });
  expect(await events.next()).toEqual(['OrderShipped', { id: 7 }]);
  expect(await events.next()).toEqual(['.plain', { id: 8 }]);
});

test('a joined channel knows who is here, who is joining and who is leaving', async () => {
  const { connect } = await start();
  const [here, joining, leaving] = ['here', 'joining', 'leaving'].map((name) => new Inbox<unknown>(name));
  (await connect('ann')).join('lobby').here(here!.put).joining(joining!.put).leaving(leaving!.put);
  expect(await here!.next()).toEqual([{ name: 'ANN' }]);

  const bob = await connect('bob');
  const bobHere = new Inbox<unknown>('here');
  bob.join('lobby').here(bobHere.put);
  expect(await bobHere.next()).toEqual([{ name: 'ANN' }, { name: 'BOB' }]);
  expect(await joining!.next()).toEqual({ name: 'BOB' });
  bob.leave('lobby');
  expect(await leaving!.next()).toEqual({ name: 'BOB' });
});

test('a whisper reaches the others', async () => {
  const { connect } = await start();
  const [ann, bob] = [await connect('ann'), await connect('bob')];
  const [own, others] = [await joined(ann.private('orders')), await joined(bob.private('orders'))];
  const whispers = [own, others].map((channel) => {
    const inbox = new Inbox<unknown>('whisper');
    channel.listenForWhisper('typing', inbox.put);
    return inbox;
  });
  own.whisper('typing', { from: 'ann' });
  expect(await whispers[1]!.next()).toEqual({ from: 'ann' });
  others.whisper('typing', { from: 'bob' });
  expect(await whispers[0]!.next()).toEqual({ from: 'bob' });
});

test('whoever is refused is told by error()', async () => {
  const { connect } = await start();
  const errors = new Inbox<unknown>('error');
  (await connect('ann')).private('forbidden').error(errors.put);
  expect(await errors.next()).toMatchObject({ type: 'AuthError', status: 403 });
});

test('leave() leaves the public, the private and the presence channel of a name', async () => {
  const { pusher, connect } = await start();
  const echo = await connect('ann');
  await Promise.all([echo.channel('orders'), echo.private('orders'), echo.join('orders')].map(joined));
  const channels = async () => Object.keys((await (await pusher.get({ path: '/channels' })).json()).channels);
  expect((await channels()).sort()).toEqual(['orders', 'presence-orders', 'private-orders']);
  echo.leave('orders');
  await joined(echo.channel('marker'));
  expect(await channels()).toEqual(['marker']);
});

test('what is broadcast to others leaves out the socket id that the request came with', async () => {
  const { pusher, connect } = await start();
  const [ann, bob] = [await connect('ann'), await connect('bob')];
  const [own, others] = await Promise.all(
    [ann, bob].map(async (echo: Echo) => hear(await joined(echo.private('orders')), '.moved')),
  );
  await pusher.trigger('private-orders', 'moved', { x: 1 }, { socket_id: ann.socketId()! });
  await pusher.trigger('private-orders', 'moved', { x: 2 });
  expect(await own!.next()).toEqual({ x: 2 });
  expect(await others!.next()).toEqual({ x: 1 });
});

test('a signed-in user gets what is sent to him', async () => {
  const { pusher, connect } = await start();
  const echo = await connect('ann');
  const { user, connection } = echo.connector.pusher;
  const frames = new Inbox<{ event: string; channel?: string }>('frames');
  connection.bind('message', frames.put);
  const hints = new Inbox<unknown>('hint');
  user.bind('hint', hints.put);
  echo.connector.signin();
  await frames.until(({ channel }) => channel === '#server-to-user-ann');
  await pusher.sendToUser('ann', 'hint', { n: 1 });
  expect(await hints.next()).toEqual({ n: 1 });
});
