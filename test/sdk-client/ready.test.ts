/** `ready` of a channel: the promise of its subscription. */
import { Countersign, type CountersignError, type PresenceChannel } from '@countersign/sdk-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startClient } from '../helpers/clients/client-start.ts';
import { startEndpoint } from '../helpers/clients/fake-endpoint.ts';

/** What a promise was rejected with. */
const refusalOf = (promise: Promise<unknown>): Promise<CountersignError> =>
  promise.then(
    () => Promise.reject(new Error('It was not rejected')),
    (error) => error as CountersignError,
  );

const denied = Object.assign(new Error('No'), { status: 403 });

test('it resolves with the channel, whose members are complete', async () => {
  const broker = await startServer();
  const backend = countersignFor(broker);
  const client = startClient(broker as never, {
    channelAuthorization: {
      customHandler: async ({ socketId, channelName }) =>
        backend.authorizeChannel(socketId, channelName, { user_id: 'ann' }),
    },
  });
  const subscribed = client.subscribe('presence-lobby');
  expect(subscribed.ready).toBe(subscribed.ready);
  const lobby = await subscribed.ready;
  expect(lobby).toBe(subscribed);
  expect((lobby as PresenceChannel).members.me?.id).toBe('ann');
  expect(await lobby.ready).toBe(lobby);
});

test('it waits for the connection, and is another one after a loss', async () => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint);
  const news = client.subscribe('news');
  const first = news.ready;
  (await endpoint.welcome()).confirm('news');
  expect(await first).toBe(news);
  const lost = new Promise((resolve) => client.connection.on('connecting', resolve as () => void));
  for (const socket of endpoint.server.clients) socket.terminate();
  await lost;
  const second = news.ready;
  expect(second).not.toBe(first);
  (await endpoint.welcome()).confirm('news');
  expect(await second).toBe(news);
});

test('what is lost before it was subscribed is still awaited', async () => {
  const endpoint = await startEndpoint();
  const news = startClient(endpoint).subscribe('news');
  const { ready } = news;
  (await endpoint.welcome()).socket.terminate();
  (await endpoint.welcome()).confirm('news');
  expect(await ready).toBe(news);
});

test('a refusal of the endpoint rejects it until somebody subscribes again', async () => {
  const endpoint = await startEndpoint();
  let isDenied = true;
  const client = startClient(endpoint, {
    channelAuthorization: {
      customHandler: async () => {
        if (isDenied) throw denied;
        return { auth: 'key-1:signature' };
      },
    },
  });
  const room = client.subscribe('private-a');
  const first = room.ready;
  const peer = await endpoint.welcome();
  const error = await refusalOf(first);
  expect(error).toMatchObject({ name: 'CountersignError', code: 'auth_failed', status: 403 });
  expect(error).toMatchObject({ reason: 'handler_failed', cause: { type: 'EndpointError', status: 403 } });
  expect(error.message).toContain('customHandler');
  // Asked for later, it is rejected all the same.
  expect(await refusalOf(room.ready)).toMatchObject({ status: 403 });
  isDenied = false;
  const second = client.subscribe('private-a').ready;
  await peer.next();
  peer.confirm('private-a');
  expect(await second).toBe(room);
});

test('a refusal of the broker is `subscription_refused`, and one that is tried again is none', async () => {
  const endpoint = await startEndpoint();
  const room = startClient(endpoint).subscribe('news');
  const { ready } = room;
  const peer = await endpoint.welcome();
  await peer.next();
  const refusal = { type: 'ServerError', error: 'Try again', status: 500 };
  peer.event('pusher:subscription_error', refusal, 'news');
  await peer.next();
  const blocked = { type: 'AuthError', error: 'Blocked', status: 403, code: 'blocked' };
  peer.event('pusher:subscription_error', blocked, 'news');
  expect(await refusalOf(ready)).toMatchObject({
    code: 'subscription_refused',
    reason: 'blocked',
    status: 403,
    message: 'Blocked',
    docs: 'docs/errors.md#blocked',
  });
});

test('a subscription that ends for good is no longer ready', async () => {
  const endpoint = await startEndpoint();
  const room = startClient(endpoint).subscribe('news');
  const peer = await endpoint.welcome();
  peer.confirm('news');
  await room.ready;
  const revoked = { type: 'AuthError', error: 'Taken back', status: 403, code: 'grant_refused' };
  peer.event('pusher:subscription_error', revoked, 'news');
  await expect.poll(() => room.status).toBe('refused');
  expect(await refusalOf(room.ready)).toMatchObject({ reason: 'grant_refused' });
});

test('unsubscribing and disconnecting reject what waits', async () => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint);
  const { ready } = client.subscribe('news');
  client.unsubscribe('news');
  expect(await refusalOf(ready)).toMatchObject({ code: 'unsubscribed' });

  const waiting = client.subscribe('news').ready;
  client.disconnect();
  expect(await refusalOf(waiting)).toMatchObject({ code: 'disconnected' });

  const again = client.subscribe('news').ready;
  client.connect();
  const peer = await endpoint.accept();
  peer.greet();
  peer.confirm('news');
  expect((await again).name).toBe('news');
});

test('a client that the broker turns away for good rejects it', async () => {
  const broker = await startServer();
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  onTestFinished(() => void vi.restoreAllMocks());
  const client = new Countersign('no-such-key', { host: '127.0.0.1', port: broker.port, forceTLS: false });
  onTestFinished(() => client.disconnect());
  expect(await refusalOf(client.subscribe('news').ready)).toMatchObject({ code: 'disconnected' });
});

test('whoever has asked for it has heard of a final refusal, and nobody need handle it', async () => {
  const endpoint = await startEndpoint();
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const unhandled: unknown[] = [];
  const note = (error: unknown): unknown => unhandled.push(error);
  process.on('unhandledRejection', note);
  onTestFinished(() => {
    vi.restoreAllMocks();
    process.off('unhandledRejection', note);
  });
  const customHandler = (): Promise<never> => Promise.reject(denied);
  const client = startClient(endpoint, { channelAuthorization: { customHandler } });
  const asked = client.subscribe('private-a');
  void asked.ready;
  await endpoint.welcome();
  await expect.poll(() => asked.status).toBe('refused');
  expect(warn).not.toHaveBeenCalled();
  const other = client.subscribe('private-b');
  await expect.poll(() => other.status).toBe('refused');
  expect(warn).toHaveBeenCalledOnce();
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});
