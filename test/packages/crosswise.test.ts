/** Every feature that both sides have, with either client and either server library. */
import { Countersign as Client } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import type { Broker } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type BackendOf,
  backendWithoutMembers,
  countersignFor,
  officialBackend,
  ourBackend,
  pusherFor,
} from '../helpers/brokers/backend.ts';
import { startCable } from '../helpers/brokers/load-balancer.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { type Bindable, listen, listenToAll, listenWithMetadata } from '../helpers/clients/event-inbox.ts';
import { openPusher } from '../helpers/clients/official.ts';

type Address = Pick<Broker, 'host' | 'port'>;
type AsWhom = { readonly backend: string; readonly user: string; readonly key?: string };

function openOurs({ host, port }: Address, { backend, user, key = APP.key }: AsWhom): Client {
  const headers = { 'x-user': user };
  const client = new Client(key, {
    host,
    port,
    forceTLS: false,
    encryption,
    channelAuthorization: { endpoint: `${backend}/auth`, headers },
    userAuthentication: { endpoint: `${backend}/user-auth`, headers },
    reconnect: { minDelay: 10, maxDelay: 100 },
  });
  onTestFinished(() => client.disconnect());
  return client;
}

type AnyClient = ReturnType<typeof openOurs> | ReturnType<typeof openPusher>;
type OpenClient = (address: Address, identity: AsWhom) => AnyClient;

/** What both server libraries do, with the JSON that the broker answers. */
interface Publisher {
  trigger(channel: string | string[], event: string, data: unknown, params?: Params): Promise<unknown>;
  triggerBatch(events: { channel: string; name: string; data: unknown }[]): Promise<unknown>;
  get(path: string, params?: Record<string, string>): Promise<unknown>;
  sendToUser(userId: string, event: string, data: unknown): Promise<unknown>;
  terminateUserConnections(userId: string): Promise<unknown>;
}
type Params = { readonly socket_id?: string; readonly info?: string };

function ourPublisher(broker: Broker): Publisher {
  const countersign = countersignFor(broker);
  return {
    trigger: (...call) => countersign.trigger(...call),
    triggerBatch: (events) => countersign.triggerBatch(events),
    get: (path, params) => countersign.get({ path, params }),
    sendToUser: (...call) => countersign.sendToUser(...call),
    terminateUserConnections: (userId) => countersign.terminateUserConnections(userId),
  };
}

function officialPublisher(broker: Broker): Publisher {
  const pusher = pusherFor(broker);
  const json = async (call: ReturnType<typeof pusher.get>) => (await call).json();
  return {
    trigger: (...call) => json(pusher.trigger(...call)),
    triggerBatch: (events) => json(pusher.triggerBatch(events)),
    get: (path, params) => json(pusher.get({ path, ...(params && { params }) })),
    sendToUser: (...call) => json(pusher.sendToUser(...call)),
    terminateUserConnections: (userId) => json(pusher.terminateUserConnections(userId)),
  };
}

const PAIRS: readonly (readonly [string, OpenClient, (broker: Broker) => Publisher, BackendOf])[] = [
  ['our client, the official server library', openOurs, officialPublisher, officialBackend],
  ['pusher-js, our server library', openPusher, ourPublisher, ourBackend],
  ['our client, our server library', openOurs, ourPublisher, ourBackend],
];

/** Subscribes and waits for the confirmation. */
async function join(client: AnyClient, name: string) {
  const channel = client.subscribe(name);
  await listen(channel, 'pusher:subscription_succeeded').next();
  return channel;
}

/** Joins a presence channel, which knows its members. */
async function joinPresence(client: AnyClient, name: string) {
  const channel: Bindable & Partial<Members> = await join(client, name);
  return channel as Bindable & Members;
}
interface Members {
  readonly members: { readonly count: number; readonly me: unknown; get(id: string): unknown };
}

/** Signs in and waits until events for the user arrive. */
async function signIn(client: AnyClient, id: string): Promise<void> {
  const frames = listen<{ channel?: string }>(client.connection, 'message');
  client.signin();
  await frames.until(({ channel }) => channel === `#server-to-user-${id}`);
}

describe.each(PAIRS)('%s:', (_name, openClient, publisherFor, startBackendFor) => {
  async function start(settings?: Parameters<typeof startServer>[0]) {
    const server = await startServer(settings);
    const backend = await startBackendFor(server);
    const connect = async (user: string, address: Address = server) => {
      const client = openClient(address, { backend, user });
      await listen(client.connection, 'connected').next();
      return client;
    };
    return { server, backend, connect, publisher: publisherFor(server) };
  }

  test.each(['news', 'private-room', 'presence-lobby', 'private-encrypted-room'])(
    'events arrive on %s as they were triggered',
    async (name) => {
      const { connect, publisher } = await start();
      const events = listenToAll(await join(await connect('ann'), name));
      await publisher.trigger(name, 'greeting', { text: 'hello 漢字 🚀' });
      await publisher.trigger(name, 'App\\Events\\Text', 'plain');
      await publisher.trigger(name, 'nothing', null);
      expect(await events.next()).toEqual(['greeting', { text: 'hello 漢字 🚀' }]);
      expect(await events.next()).toEqual(['App\\Events\\Text', 'plain']);
      expect(await events.next()).toEqual(['nothing', null]);
    },
  );

  test('a batch arrives, in order and sealed where it must be', async () => {
    const { connect, publisher } = await start();
    const client = await connect('ann');
    const sealed = listenToAll(await join(client, 'private-encrypted-room'));
    const events = listenToAll(await join(client, 'news'));
    await publisher.triggerBatch([
      { channel: 'news', name: 'first', data: 1 },
      { channel: 'private-encrypted-room', name: 'secret', data: { n: 2 } },
      { channel: 'news', name: 'last', data: 3 },
    ]);
    expect(await sealed.next()).toEqual(['secret', { n: 2 }]);
    expect(await events.next()).toEqual(['first', 1]);
    expect(await events.next()).toEqual(['last', 3]);
  });

  test('the connection that triggered is left out', async () => {
    const { connect, publisher } = await start();
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    const [own, others] = [
      listenToAll(await join(ann, 'private-room')),
      listenToAll(await join(bob, 'private-room')),
    ];
    await publisher.trigger('private-room', 'moved', 1, { socket_id: ann.connection.socket_id! });
    await publisher.trigger('private-room', 'marker', 2);
    expect(await own.next()).toEqual(['marker', 2]);
    expect(await others.next()).toEqual(['moved', 1]);
  });

  test('a refused subscription is reported, and the connection stays', async () => {
    const { connect } = await start();
    const client = await connect('ann');
    const errors = listen(client.subscribe('private-forbidden'), 'pusher:subscription_error');
    const type = openClient === openOurs ? 'EndpointError' : 'AuthError';
    expect(await errors.next()).toMatchObject({ type, status: 403 });
    await join(client, 'private-room');
  });

  test('a signature that is none is refused by the broker', async () => {
    const { server } = await start();
    const backend = await startBackendFor(server, { secret: 'another' });
    const client = openClient(server, { backend, user: 'ann' });
    const errors = listen(client.subscribe('private-room'), 'pusher:subscription_error');
    expect(await errors.next()).toMatchObject({ type: 'AuthError', error: 'Invalid signature', status: 401 });
  });

  test('members come and go', async () => {
    const { connect, publisher } = await start();
    const ann = await joinPresence(await connect('ann'), 'presence-lobby');
    const [added, removed] = [listen(ann, 'pusher:member_added'), listen(ann, 'pusher:member_removed')];
    expect(ann.members.me).toEqual({ id: 'ann', info: { name: 'ANN' } });

    const client = await connect('bob');
    const bob = await joinPresence(client, 'presence-lobby');
    expect(await added.next()).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect([ann.members.count, bob.members.count]).toEqual([2, 2]);
    expect(bob.members.get('ann')).toEqual({ id: 'ann', info: { name: 'ANN' } });
    const users = await publisher.get('/channels/presence-lobby/users');
    expect(users).toEqual({ users: [{ id: 'ann' }, { id: 'bob' }] });

    client.unsubscribe('presence-lobby');
    expect(await removed.next()).toEqual({ id: 'bob', info: { name: 'BOB' } });
    expect(ann.members.count).toBe(1);
  });

  test('client events reach the others and name their sender', async () => {
    const { connect } = await start();
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    const own = await join(ann, 'presence-lobby');
    const events = listenWithMetadata(await join(bob, 'presence-lobby'), 'client-typing');
    await own.trigger('client-typing', { on: true });
    expect(await events.next()).toEqual([{ on: true }, { user_id: 'ann' }]);
  });

  test.each(['cache-news', 'private-cache-room', 'private-encrypted-cache-room'])(
    '%s tells that it is empty, and then its last event',
    async (name) => {
      const { connect, publisher } = await start();
      const misses = listen((await connect('ann')).subscribe(name), 'pusher:cache_miss');
      expect(await misses.next()).toEqual({});
      await publisher.trigger(name, 'headline', { n: 1 });
      const hits = listen((await connect('bob')).subscribe(name), 'headline');
      expect(await hits.next()).toEqual({ n: 1 });
    },
  );

  test('clients and servers receive the number of subscriptions', async () => {
    const { connect, publisher } = await start({ app: { subscriptionCount: true } });
    const counts = listen((await connect('ann')).subscribe('news'), 'pusher:subscription_count');
    expect(await counts.next()).toEqual({ subscription_count: 1 });
    await join(await connect('bob'), 'news');
    expect(await counts.next()).toEqual({ subscription_count: 2 });
    expect(await publisher.trigger('news', 'e', 1, { info: 'subscription_count' })).toEqual({
      channels: { news: { subscription_count: 2 } },
    });
    expect(await publisher.get('/channels')).toEqual({ channels: { news: {} } });
  });

  test('a signed-in user receives events sent to them, and can be signed out', async () => {
    const { connect, publisher } = await start();
    const [ann, bob] = [await connect('ann'), await connect('bob')];
    await Promise.all([signIn(ann, 'ann'), signIn(bob, 'bob')]);
    const [annsHints, bobsHints] = [listen(ann.user, 'hint'), listen(bob.user, 'hint')];
    await publisher.sendToUser('ann', 'hint', { n: 1 });
    await publisher.sendToUser('bob', 'hint', { n: 2 });
    expect(await annsHints.next()).toEqual({ n: 1 });
    expect(await bobsHints.next()).toEqual({ n: 2 });

    const states = listen(ann.connection, 'state_change');
    await publisher.terminateUserConnections('ann');
    expect(await states.next()).toEqual({ previous: 'connected', current: 'disconnected' });
    await join(bob, 'news');
  });

  test('a presence channel takes the signed-in user where the backend names none', async () => {
    const { server } = await start();
    const client = openClient(server, { backend: await backendWithoutMembers(server), user: '' });
    client.signin();
    const lobby = await joinPresence(client, 'presence-lobby');
    expect(lobby.members.me).toEqual({ id: 'zoe', info: { name: 'Zoë' } });
  });

  test('after a cut it is where it was', async () => {
    const { server, connect, publisher } = await start();
    const cable = await startCable(server);
    const client = await connect('ann', cable);
    const [room, lobby] = [
      await join(client, 'private-encrypted-room'),
      await join(client, 'presence-lobby'),
    ];
    const rejoined = [room, lobby].map((channel) => listen(channel, 'pusher:subscription_succeeded'));
    cable.cut();
    await Promise.all(rejoined.map((inbox) => inbox.next()));
    const events = listenToAll(room);
    await publisher.trigger('private-encrypted-room', 'greeting', 'welcome back');
    expect(await events.next()).toEqual(['greeting', 'welcome back']);
  });

  test('after a drain it is at the next broker', async () => {
    const { server, connect } = await start();
    const cable = await startCable(server);
    const room = await join(await connect('ann', cable), 'private-room');
    const rejoined = listen(room, 'pusher:subscription_succeeded');
    const next = await startServer();
    cable.leadTo(next);
    await server.drain();
    await rejoined.next();
    const events = listenToAll(room);
    await publisherFor(next).trigger('private-room', 'greeting', 1);
    expect(await events.next()).toEqual(['greeting', 1]);
  });

  test('a key that no app has stops it for good', async () => {
    const { server, backend } = await start();
    const client = openClient(server, { backend, user: 'ann', key: 'unknown' });
    const states = listen(client.connection, 'state_change');
    const seen = await states.until((change) => (change as { current: string }).current === 'disconnected');
    expect(seen.at(-1)).toEqual({ previous: 'connecting', current: 'disconnected' });
  });
});

test('our client and pusher-js meet in one channel', async () => {
  const server = await startServer();
  const backend = await ourBackend(server);
  const ours = await joinPresence(openOurs(server, { backend, user: 'ann' }), 'presence-lobby');
  const [added, typing] = [listen(ours, 'pusher:member_added'), listenWithMetadata(ours, 'client-typing')];
  const theirsClient = openPusher(server, { backend, user: 'bob' });
  const theirs = await joinPresence(theirsClient, 'presence-lobby');
  expect(await added.next()).toEqual({ id: 'bob', info: { name: 'BOB' } });
  expect(theirs.members.count).toBe(2);
  theirsClient.channel('presence-lobby').trigger('client-typing', 'over there');
  expect(await typing.next()).toEqual(['over there', { user_id: 'bob' }]);
});
