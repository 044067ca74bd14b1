import type { Countersign as Client, CountersignOptions } from '@countersign/sdk-client';
import type { Countersign } from '@countersign/sdk-server';
import type { AuthUser } from '@countersign/sdk-server/express';
import type { Express, Request } from 'express';
import { expect } from 'vitest';
import { ending, join, openBrowser, pageOptions, post, startSite } from '../helpers/brokers/site.ts';
import { nextEvent } from '../helpers/clients/client-start.ts';
import { keepPromises } from '../helpers/promises.ts';
import { cook } from '../helpers/recipe.ts';

interface Member extends AuthUser {
  readonly roles?: readonly string[];
}

const members: Readonly<Record<string, Member>> = {
  ann: { id: 'ann', info: { name: 'Ann' } },
  bob: { id: 'bob', info: { name: 'Bob' } },
  eve: { id: 'eve', info: { name: 'Eve' }, roles: ['moderator'] },
};
const findUser = (req: Request) => members[req.get('x-user') ?? ''];

/** The browser of somebody whom the site recognizes. */
function browserOf(user: string, browser: typeof fetch): typeof fetch {
  return (path, init) => browser(path, { ...init, headers: { ...init?.headers, 'x-user': user } });
}

interface ModeratorKick {
  createBackend(countersign: Countersign, find: typeof findUser): Express;
  enter(options: CountersignOptions, room: string, show: (line: string) => void): Client;
}

const ROOM = 'presence-room-lobby';

async function lobby() {
  const { createBackend, enter } = await cook<ModeratorKick>('moderator-kick');
  const site = await startSite((countersign) => createBackend(countersign, findUser));
  const visitor = async (user: string) => {
    const shown: string[] = [];
    const browser = browserOf(user, openBrowser(site));
    const client = ending(enter(pageOptions(site, browser), 'lobby', (line) => shown.push(line)));
    const channel = client.channel(ROOM)!;
    await nextEvent(channel, 'pusher:subscription_succeeded');
    return { client, channel, shown };
  };
  const kick = (by: string, body: object = { userId: 'bob', reason: 'Spam' }) =>
    post(browserOf(by, openBrowser(site)), '/rooms/lobby/kick', body);
  return { site, visitor, kick };
}

keepPromises('recipes/moderator-kick.md', {
  'Only a moderator may remove somebody': async () => {
    const { visitor, kick } = await lobby();
    const bob = await visitor('bob');
    expect(await kick('ann')).toBe(403);
    expect(await kick('nobody')).toBe(401);
    expect(bob.channel.subscribed).toBe(true);
    expect(await kick('eve')).toBe(200);
  },

  'The room learns who was removed, and why': async () => {
    const { visitor, kick } = await lobby();
    const ann = await visitor('ann');
    await visitor('bob');
    const left = nextEvent(ann.channel, 'pusher:member_removed');
    await kick('eve');
    await left;
    expect(ann.shown).toEqual(['bob was removed: Spam', 'bob left']);
  },

  'The user is removed at once, on all devices, and gets the reason': async () => {
    const { site, visitor } = await lobby();
    const devices = [await visitor('bob'), await visitor('bob')];
    const out = devices.map(({ channel }) => nextEvent(channel, 'pusher:subscription_error'));
    const browser = browserOf('eve', openBrowser(site));
    const answer = await browser('/rooms/lobby/kick', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId: 'bob', reason: 'Spam' }),
    });
    expect(await answer.json()).toEqual({ removed: 2 });
    await Promise.all(out);
    for (const { shown } of devices) expect(shown).toEqual(['bob was removed: Spam', 'You are out: Spam']);
  },

  'Their connections and other rooms stay': async () => {
    const { site, visitor, kick } = await lobby();
    const { client, channel } = await visitor('bob');
    expect(await join(client, 'presence-room-garden')).toBe(200);
    const out = nextEvent(channel, 'pusher:subscription_error');
    await kick('eve');
    await out;
    const heard = nextEvent(client.channel('presence-room-garden')!, 'still-here');
    await site.countersign.trigger('presence-room-garden', 'still-here', {});
    await heard;
    expect(client.connection.state).toBe('connected');
  },

  'They cannot come back while the block lasts': async () => {
    const { visitor, kick } = await lobby();
    const { client, channel } = await visitor('bob');
    const out = nextEvent(channel, 'pusher:subscription_error');
    await kick('eve');
    await out;
    expect(await join(client, ROOM)).toBe(403);
    client.disconnect();
    const connected = nextEvent(client.connection, 'connected');
    client.connect();
    await connected;
    expect(await join(client, ROOM)).toBe(403);
  },
});

interface SignOutEverywhere {
  createBackend(countersign: Countersign, sessionKey: string): Express;
  connect(options: CountersignOptions, showLogin: (reason: string) => void): Client;
}

async function devices() {
  const { createBackend, connect } = await cook<SignOutEverywhere>('sign-out-everywhere');
  const site = await startSite((countersign) => createBackend(countersign, 'session-key'));
  const device = async (user: string) => {
    const browser = openBrowser(site);
    const shown: string[] = [];
    await post(browser, '/login', { name: user });
    const client = ending(connect(pageOptions(site, browser), (reason) => shown.push(reason)));
    await client.signin();
    return { browser, client, shown };
  };
  return { site, device };
}

keepPromises('recipes/sign-out-everywhere.md', {
  'Every device is disconnected, gets the reason, and stays away': async () => {
    const { device } = await devices();
    const all = [await device('ann'), await device('ann'), await device('ann')];
    const ended = all.map(({ client }) => nextEvent(client.connection, 'disconnected'));
    expect(await post(all[0]!.browser, '/logout-everywhere')).toBe(204);
    await Promise.all(ended);
    for (const { client, shown } of all) {
      expect(shown).toEqual(['Signed out everywhere']);
      expect(client.connection.state).toBe('disconnected');
    }
  },

  'An old session is granted nothing': async () => {
    const { device } = await devices();
    const [phone, laptop] = [await device('ann'), await device('ann')];
    const ended = nextEvent(laptop.client.connection, 'disconnected');
    await post(phone.browser, '/logout-everywhere');
    await ended;
    laptop.client.connect();
    expect(await join(laptop.client, 'private-user-ann')).toBe(401);
    expect(await post(laptop.browser, '/logout-everywhere')).toBe(401);
  },

  'Other users stay': async () => {
    const { site, device } = await devices();
    const [ann, bob] = [await device('ann'), await device('bob')];
    const ended = nextEvent(ann.client.connection, 'disconnected');
    await post(ann.browser, '/logout-everywhere');
    await ended;
    const heard = nextEvent(bob.client.user, 'still-here');
    await site.countersign.sendToUser('bob', 'still-here', {});
    await heard;
  },

  'A user who logs in again is back': async () => {
    const { device } = await devices();
    const before = await device('ann');
    await post(before.browser, '/logout-everywhere');
    const { client } = await device('ann');
    expect(await join(client, 'private-user-ann')).toBe(200);
  },
});

interface Device {
  readonly library: string;
  readonly address: string;
  readonly since: string;
  readonly isThisOne: boolean;
}

interface DeviceList {
  createBackend(countersign: Countersign, find: typeof findUser): Express;
  connect(options: CountersignOptions): Promise<Client>;
  listDevices(client: Client, browser: typeof fetch): Promise<Device[]>;
}

async function deviceList() {
  const { createBackend, connect, listDevices } = await cook<DeviceList>('device-list');
  const site = await startSite((countersign) => createBackend(countersign, findUser));
  const device = async (user: string) => {
    const browser = browserOf(user, openBrowser(site));
    const client = ending(await connect(pageOptions(site, browser)));
    return { client, list: () => listDevices(client, browser) };
  };
  return { site, device };
}

keepPromises('recipes/device-list.md', {
  'Every connection that is signed in as the user is listed': async () => {
    const { device } = await deviceList();
    const phone = await device('ann');
    await device('ann');
    const listed = await phone.list();
    expect(listed.map(({ isThisOne }) => isThisOne).sort()).toEqual([false, true]);
    for (const { library, address, since } of listed) {
      expect(library).toMatch(/countersign/);
      expect(address).toBe('127.0.0.1');
      expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000);
    }
  },

  'A connection that ends leaves the list': async () => {
    const { device } = await deviceList();
    const phone = await device('ann');
    const laptop = await device('ann');
    expect(await phone.list()).toHaveLength(2);
    laptop.client.disconnect();
    await expect.poll(() => phone.list()).toHaveLength(1);
  },

  "Nobody sees another user's devices": async () => {
    const { site, device } = await deviceList();
    await device('ann');
    const bob = await device('bob');
    expect(await bob.list()).toMatchObject([{ isThisOne: true }]);
    expect((await openBrowser(site)('/devices')).status).toBe(401);
  },
});
