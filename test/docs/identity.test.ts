import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { Countersign as Client, type CountersignOptions, type WatchlistEvent } from '@countersign/sdk-client';
import type { Countersign } from '@countersign/sdk-server';
import { type AuthUser, authRouter } from '@countersign/sdk-server/express';
import { createServer } from '@countersign/server';
import express from 'express';
import { expect, onTestFinished } from 'vitest';
import { MemoryAdapter } from '#server/adapter/memory/adapter';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { APP, configOf, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { ending, join, openBrowser, pageOptions, type Site, startSite } from '../helpers/brokers/site.ts';
import { authenticate, connect } from '../helpers/clients/client.ts';
import { nextEvent } from '../helpers/clients/client-start.ts';
import { frames } from '../helpers/frames.ts';
import { keepPromises } from '../helpers/promises.ts';

const TOKENS: Readonly<Record<string, AuthUser>> = {
  ann: { id: 'ann' },
  bob: { id: 'bob', watchlist: ['ann'] },
};

/** A backend that knows users by their tokens, and refuses the channels whose names say so. */
function createBackend(countersign: Countersign) {
  const router = authRouter(countersign, {
    user: (req) => TOKENS[req.get('authorization')?.slice('Bearer '.length) ?? ''],
    canAccess: (_, channel) => !channel.includes('closed'),
    // A grant that ends says when it was signed, and one of a later second counts again.
    grantSeconds: null,
    logger: { info() {}, warn() {}, error() {} },
  });
  return express().use('/countersign', router);
}

const startApp = (settings?: ServerSettings) => startSite(createBackend, settings);

/** The page of a user. */
function open(site: Site, user: string, options: Partial<CountersignOptions> = {}): Client {
  const auth = { refresh: async () => user };
  return ending(new Client('key-1', { ...pageOptions(site, openBrowser(site)), auth, ...options }));
}

async function signedIn(site: Site, user: string): Promise<Client> {
  const client = open(site, user);
  await client.signin();
  return client;
}

const COME_BACK_LATER = { reason: 'Come back later', block: 60 };

keepPromises('identity.md', {
  'A connection is one user, from its sign-in to its end': async () => {
    const broker = await startServer();
    const client = await connect(broker);
    await client.signIn({ id: 'ann' });
    expect(await client.signIn({ id: 'bob' })).toBe(
      frames.error(4009, 'Signed in as another user already', 'user_mismatch'),
    );
    const countersign = countersignFor(broker);
    expect((await countersign.user('ann')).connections).toHaveLength(1);
    expect((await countersign.user('bob')).connections).toEqual([]);
  },

  'A sign-in is valid only for the connection that it was signed for': async () => {
    const broker = await startServer();
    const ann = await connect(broker);
    const thief = await connect(broker);
    const data = { auth: authenticate(ann.socketId, '{"id":"ann"}'), user_data: '{"id":"ann"}' };
    for (const failure of [1, 2, 3, 4]) {
      thief.send({ event: 'pusher:signin', data });
      expect(await thief.nextMessage(), `failure ${failure}`).toMatchObject({ event: 'pusher:error' });
    }
    thief.send({ event: 'pusher:signin', data });
    expect((await thief.closed()).code).toBe(4009);
  },

  'A message to a user reaches all their devices, and nobody else': async () => {
    const site = await startApp();
    const devices = [await signedIn(site, 'ann'), await signedIn(site, 'ann')];
    const mails = devices.map((client) => nextEvent(client.user, 'mail'));
    const stranger = await connect(site.broker);
    stranger.subscribe('#server-to-user-ann');
    expect(await stranger.nextMessage()).toMatchObject({ event: 'pusher:subscription_error' });
    await site.countersign.sendToUser('ann', 'mail', { unread: 3 });
    expect(await Promise.all(mails)).toEqual([{ unread: 3 }, { unread: 3 }]);
    expect(await stranger.nothing()).toEqual([]);
  },

  'A user is online with their first connection, and offline after their last': async () => {
    const site = await startApp();
    const bob = open(site, 'bob');
    const heard: WatchlistEvent[] = [];
    bob.user.watchlist.bind_global((_, event) => heard.push(event as WatchlistEvent));
    const told = nextEvent(bob.user.watchlist, 'offline');
    await bob.signin();
    await told;
    const online = nextEvent(bob.user.watchlist, 'online');
    const [phone, laptop] = [await signedIn(site, 'ann'), await signedIn(site, 'ann')];
    await online;
    const offline = nextEvent(bob.user.watchlist, 'offline');
    phone.disconnect();
    laptop.disconnect();
    await offline;
    expect(heard.map(({ name, user_ids }) => [name, ...user_ids])).toEqual([
      ['offline', 'ann'],
      ['online', 'ann'],
      ['offline', 'ann'],
    ]);
  },

  'Every connection of a signed-in user is known': async () => {
    const site = await startApp();
    const phone = await signedIn(site, 'ann');
    await signedIn(site, 'ann');
    await join(phone, 'private-a');
    const { connections } = await site.countersign.user('ann');
    expect(connections).toHaveLength(2);
    expect(connections.find(({ socket_id }) => socket_id === phone.connection.socket_id)).toMatchObject({
      age_seconds: expect.any(Number),
      client: expect.stringMatching(/^countersign/),
      address: '127.0.0.1',
      channels: expect.arrayContaining(['private-a']),
    });
    expect(await site.countersign.users()).toEqual({ users: [{ id: 'ann' }] });
  },

  'Terminating a user closes all their connections, and sends each the reason': async () => {
    const site = await startApp();
    const devices = [await signedIn(site, 'ann'), await signedIn(site, 'ann')];
    const official = await connect(site.broker);
    await official.signIn({ id: 'ann' });
    const bob = await signedIn(site, 'bob');
    const told = devices.map((client) => nextEvent(client, 'terminated'));
    const ended = devices.map((client) => nextEvent(client.connection, 'disconnected'));
    await site.countersign.terminateUserConnections('ann', { reason: 'Signed out' });
    const why = { reason: 'Signed out', code: 'terminated' };
    expect(await Promise.all(told)).toEqual([why, why]);
    expect(await official.closed()).toEqual({ code: 4009, reason: 'Signed out' });
    await Promise.all(ended);
    expect(await join(bob, 'private-a')).toBe(200);
  },

  'A blocked user is refused until the block ends': async () => {
    const data = await mkdtemp(pathOf(tmpdir(), 'countersign-'));
    onTestFinished(() => rm(data, { recursive: true }));
    let time = Date.now();
    const parts = { now: () => time, monotonic: () => time };
    const config = configOf({ config: { data } });
    const before = await createServer(config, parts);
    await countersignFor(before).terminateUserConnections('ann', COME_BACK_LATER);
    await before.close();
    const after = await createServer(config, parts);
    onTestFinished(() => after.close());
    const ann = await connect(after);
    expect(await ann.signIn({ id: 'ann' })).toBe(frames.error(4009, 'Come back later', 'blocked'));
    expect(await ann.join('presence-a', { user_id: 'ann' })).toContain('Come back later');
    time += 60_000;
    expect(await ann.signIn({ id: 'ann' })).toContain('pusher:signin_success');
  },

  'Removing a key closes the connections that signed in with it': async () => {
    const leaked = { ...APP, key: 'key-leaked', secret: 'a secret that has leaked' };
    const keys = [APP, leaked].map(({ key, secret }) => ({ key, secret }));
    const broker = await startServer({ app: { keys } });
    const [thief, ann] = [await connect(broker), await connect(broker)];
    thief.credentials = leaked;
    for (const client of [thief, ann]) await client.signIn({ id: 'ann' });
    broker.reload(configOf({ app: { keys: keys.slice(0, 1) } }).apps);
    expect(await thief.closed()).toMatchObject({ code: 4009 });
    expect(await ann.nothing()).toEqual([]);
  },

  'Ending a subscription takes effect at once, and leaves the connection': async () => {
    const site = await startApp();
    const [ann, bob] = [await signedIn(site, 'ann'), open(site, 'bob')];
    for (const channel of ['presence-a', 'private-b']) await join(ann, channel);
    await join(bob, 'presence-a');
    const out = nextEvent(ann.channel('presence-a')!, 'pusher:subscription_error');
    const left = nextEvent(bob.channel('presence-a')!, 'pusher:member_removed');
    const who = { userId: 'ann', reason: 'Rude' };
    expect(await site.countersign.removeSubscription('presence-a', who)).toBe(1);
    expect(await out).toMatchObject({ type: 'AuthError', status: 403, message: 'Rude' });
    expect(await left).toMatchObject({ id: 'ann' });
    const heard = nextEvent(ann.channel('private-b')!, 'still-here');
    await site.countersign.trigger('private-b', 'still-here', {});
    await heard;
  },

  'The connection cannot join that channel again': async () => {
    const site = await startApp();
    const [phone, laptop] = [await signedIn(site, 'ann'), await signedIn(site, 'ann')];
    expect(await join(phone, 'private-a')).toBe(200);
    const out = nextEvent(phone.channel('private-a')!, 'pusher:subscription_error');
    await site.countersign.removeSubscription('private-a', { socketId: phone.connection.socket_id! });
    await out;
    expect(await join(phone, 'private-a')).toBe(403);
    expect(await join(laptop, 'private-a')).toBe(200);
    const outToo = nextEvent(laptop.channel('private-a')!, 'pusher:subscription_error');
    await site.countersign.removeSubscription('private-a', { userId: 'ann', block: 60 });
    await outToo;
    expect(await join(await signedIn(site, 'ann'), 'private-a')).toBe(403);
  },

  'A block also reaches users who join at the same moment': async () => {
    const broker = await startServer({ parts: { adapter: new DelayedAdapter(new MemoryAdapter()) } });
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(broker)));
    const block = countersignFor(broker).removeSubscription('presence-a', { userId: 'ann', block: 60 });
    const ends = clients.map(async (client) => {
      client.askFor('presence-a', { user_id: 'ann' });
      await client.until((received) => String(received).includes('pusher:subscription_error'));
    });
    await Promise.all([block, ...ends]);
  },

  'An app that requires users closes connections that prove nothing in time': async () => {
    let time = Date.now();
    const settings = { app: { requireUserAuthentication: true }, parts: { monotonic: () => time } };
    const broker = await startServer(settings);
    const [nobody, liar, ann, guest] = await Promise.all([1, 2, 3, 4].map(() => connect(broker)));
    liar!.subscribe('private-a', { auth: `key-1:${'0'.repeat(64)}` });
    await liar!.next();
    await ann!.signIn({ id: 'ann' });
    await guest!.join('private-a');
    time += 30_000;
    expect(await nobody!.closed()).toMatchObject({ code: 4009, reason: expect.stringMatching(/no sign-in/) });
    expect(await liar!.closed()).toMatchObject({ code: 4009, reason: expect.stringMatching(/was refused/) });
    expect(await ann!.nothing()).toEqual([]);
    expect(await guest!.nothing()).toEqual([]);
  },

  'Expired credentials are refreshed once, for everything that waits': async () => {
    const site = await startApp();
    let refreshed = 0;
    const refresh = async () => {
      refreshed += 1;
      return 'ann';
    };
    const client = open(site, 'ann', { auth: { refresh } });
    const names = Array.from({ length: 40 }, (_, n) => `private-${n}`);
    const [user, ...statuses] = await Promise.all([
      client.signin(),
      ...names.map((name) => join(client, name)),
    ]);
    expect(user).toEqual({ id: 'ann' });
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(refreshed).toBe(1);
  },

  'Forty private channels take one request, also after a reconnect': async () => {
    const site = await startApp();
    const channelAuthorization = { headers: { Authorization: 'Bearer ann' } };
    const client = open(site, 'ann', { channelAuthorization });
    const names = Array.from({ length: 40 }, (_, n) => `private-${n}`);
    await Promise.all(names.map((name) => join(client, name)));
    expect(site.requests).toEqual(['/countersign/auth']);
    client.disconnect();
    const back = names.map((name) => nextEvent(client.channel(name)!, 'pusher:subscription_succeeded'));
    client.connect();
    await Promise.all(back);
    expect(site.requests).toEqual(['/countersign/auth', '/countersign/auth']);
  },

  'In a batch each channel is decided on its own': async () => {
    const client = open(await startApp(), 'ann');
    const names = ['private-a', 'private-closed', 'presence-a'];
    expect(await Promise.all(names.map((name) => join(client, name)))).toEqual([200, 403, 200]);
    const stranger = open(await startApp(), 'nobody');
    expect(await Promise.all(names.map((name) => join(stranger, name)))).toEqual([401, 401, 401]);
  },

  'A batch is one request for the rate limit': async () => {
    const limited = (countersign: Countersign) =>
      express().use(
        '/countersign',
        authRouter(countersign, {
          user: () => ({ id: 'ann' }),
          canAccess: () => true,
          rateLimit: { limit: 1 },
        }),
      );
    const client = open(await startSite(limited), 'ann');
    const names = Array.from({ length: 200 }, (_, n) => `private-${n}`);
    const statuses = await Promise.all(names.map((name) => join(client, name)));
    expect(new Set(statuses)).toEqual(new Set([200]));
  },
});
