/** What works between `pusher-js` with the plugin that asks for many channels at once, our router and the broker. */
import { authRouter } from '@countersign/sdk-server/express';
import batchAuthorizer from 'pusher-js-auth';
import { expect, test } from 'vitest';
import { countersignFor, pusherFor, startBackend } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { listen, listenToAll } from '../helpers/clients/event-inbox.ts';
import { openPusher, type Pusher } from '../helpers/clients/official.ts';

const CHANNELS = ['private-room', 'presence-lobby', 'private-encrypted-room'];

const ANN = { id: 'ann', info: { name: 'ANN' } };

/** A broker, a backend that counts its requests, and a client with the plugin, which is not connected yet. */
async function start(user: typeof ANN | null = ANN) {
  const broker = await startServer();
  const asked = { times: 0 };
  const router = authRouter(countersignFor(broker), {
    user: () => {
      asked.times++;
      return user;
    },
    canAccess: (_user, channel) => !channel.includes('forbidden'),
    logger: { info() {}, warn() {}, error() {} },
  });
  const backend = await startBackend((app) => app.use('/countersign', router));
  const authEndpoint = `${backend}/countersign/auth`;
  return { broker, asked, client: openPusher(broker, { authEndpoint, authorizer: batchAuthorizer }) };
}

const joined = (client: Pusher, names: readonly string[]) =>
  Promise.all(names.map((name) => listen(client.subscribe(name), 'pusher:subscription_succeeded').next()));

test('channels of every kind are granted with one request', async () => {
  const { broker, client, asked } = await start();
  const [, lobby] = await joined(client, CHANNELS);
  expect(asked.times).toBe(1);
  expect(lobby).toMatchObject({ me: ANN, count: 1 });

  const events = CHANNELS.map((name) => listenToAll(client.channel(name)));
  for (const name of CHANNELS) await pusherFor(broker).trigger(name, 'greeting', { on: name });
  for (const [index, name] of CHANNELS.entries())
    expect(await events[index]?.next()).toEqual(['greeting', { on: name }]);
});

test('a connection that comes back asks once for all its channels', async () => {
  const { client, asked } = await start();
  await joined(client, CHANNELS);
  client.disconnect();
  const back = CHANNELS.map((name) => listen(client.channel(name), 'pusher:subscription_succeeded').next());
  client.connect();
  await Promise.all(back);
  expect(asked.times).toBe(2);
});

test('one channel that is refused is refused alone', async () => {
  const { client, asked } = await start();
  const errors = listen(client.subscribe('private-forbidden'), 'pusher:subscription_error');
  await joined(client, CHANNELS);
  expect(await errors.next()).toMatchObject({ type: 'AuthError' });
  expect(asked.times).toBe(1);
});

test('a client without a session is refused all channels with one request', async () => {
  const { client, asked } = await start(null);
  const errors = CHANNELS.map((name) => listen(client.subscribe(name), 'pusher:subscription_error'));
  for (const error of errors) expect(await error.next()).toMatchObject({ type: 'AuthError' });
  expect(asked.times).toBe(1);
});
