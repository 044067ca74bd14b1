import type { Countersign as Client, CountersignError, CountersignOptions } from '@countersign/sdk-client';
import type { Countersign } from '@countersign/sdk-server';
import { type AuthUser, authRouter, type Policy } from '@countersign/sdk-server/express';
import type { Express, Request } from 'express';
import { type CryptoKey, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { expect, onTestFinished, vi } from 'vitest';
import {
  ending,
  join,
  openBrowser,
  pageOptions,
  post,
  type Site,
  startSite,
} from '../helpers/brokers/site.ts';
import { nextEvent, recorded } from '../helpers/clients/client-start.ts';
import { keepPromises } from '../helpers/promises.ts';
import { cook } from '../helpers/recipe.ts';

const refused = (status: number) => expect.objectContaining({ code: 'auth_failed', status });

interface SessionCookie {
  createBackend(countersign: Countersign, sessionKey: string): Express;
  connect(options: CountersignOptions): Client;
}

async function sessions() {
  const { createBackend, connect } = await cook<SessionCookie>('session-cookie');
  const site = await startSite((countersign) => createBackend(countersign, 'session-key'));
  const browser = openBrowser(site);
  const open = (from = browser) => ending(connect(pageOptions(site, from)));
  return { site, browser, open };
}

keepPromises('recipes/session-cookie.md', {
  'A user with a session signs in and joins their own channel': async () => {
    const { browser, open } = await sessions();
    expect(await post(browser, '/login', { name: 'ann' })).toBe(204);
    const client = open();
    expect(await client.signin()).toEqual({ id: 'ann', user_info: { name: 'ann' } });
    expect(await join(client, 'private-user-ann')).toBe(200);
  },

  'Without a session nothing is granted': async () => {
    const { open } = await sessions();
    const client = open();
    await expect(client.signin()).rejects.toEqual(refused(401));
    expect(await join(client, 'private-user-ann')).toBe(401);
  },

  "Another user's channel is refused": async () => {
    const { browser, open } = await sessions();
    await post(browser, '/login', { name: 'ann' });
    expect(await join(open(), 'private-user-bob')).toBe(403);
  },

  'A forged session is refused': async () => {
    const { site, open } = await sessions();
    const session = Buffer.from('{"user":{"id":"ann"}}').toString('base64');
    const forger: typeof fetch = (path, init) => {
      const headers = { ...init?.headers, cookie: `session=${session}; session.sig=${'A'.repeat(27)}` };
      return fetch(new URL(String(path), site.url), { ...init, headers });
    };
    expect(await join(open(forger), 'private-user-ann')).toBe(401);
  },

  'After logging out nothing new is granted': async () => {
    const { browser, open } = await sessions();
    await post(browser, '/login', { name: 'ann' });
    const client = open();
    expect(await join(client, 'private-user-ann')).toBe(200);
    expect(await post(browser, '/logout')).toBe(204);
    expect(await join(open(), 'private-user-ann')).toBe(401);
    expect(client.channel('private-user-ann')?.subscribed).toBe(true);
  },
});

interface JsonWebToken {
  createBackend(countersign: Countersign, key: CryptoKey): Express;
  connect(options: CountersignOptions, fetchToken: () => Promise<string | null>): Client;
}

async function tokens() {
  const { createBackend, connect } = await cook<JsonWebToken>('json-web-token');
  const { publicKey, privateKey } = await generateKeyPair('EdDSA');
  const site = await startSite((countersign) => createBackend(countersign, publicKey));
  const claims = { iss: 'https://login.example.com', aud: 'https://app.example.com', sub: 'ann' };
  const issue = (changes: Record<string, unknown> = {}, key = privateKey) => {
    const exp = Math.floor(Date.now() / 1000) + 300;
    return new SignJWT({ ...claims, exp, ...changes }).setProtectedHeader({ alg: 'EdDSA' }).sign(key);
  };
  const open = (fetchToken: () => Promise<string | null>) =>
    ending(connect(pageOptions(site, openBrowser(site)), fetchToken));
  /** What a page gets with this token. */
  const statusWith = async (token: string) => {
    const client = open(async () => token);
    const status = await join(client, 'private-user-ann');
    if (status !== 200) await expect(client.signin()).rejects.toEqual(refused(status ?? 0));
    return status;
  };
  return { issue, open, statusWith, claims };
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

keepPromises('recipes/json-web-token.md', {
  'A valid token is enough to sign in and to join': async () => {
    const { issue, open } = await tokens();
    const client = open(() => issue());
    expect(await client.signin()).toEqual({ id: 'ann' });
    expect(await join(client, 'private-user-ann')).toBe(200);
    expect(await join(client, 'private-user-bob')).toBe(403);
  },

  'An expired token is refused': async () => {
    const { issue, statusWith } = await tokens();
    expect(await statusWith(await issue())).toBe(200);
    expect(await statusWith(await issue({ exp: inSeconds(-1) }))).toBe(401);
    expect(await statusWith(await issue({ exp: undefined }))).toBe(401);
    expect(await statusWith(await issue({ nbf: inSeconds(60) }))).toBe(401);
  },

  'A token with a wrong signature is refused': async () => {
    const { issue, statusWith, claims } = await tokens();
    const [head, body] = (await issue()).split('.');
    const [, , signature] = (await issue({ sub: 'bob' })).split('.');
    expect(await statusWith(`${head}.${body}.${signature}`)).toBe(401);
    const { privateKey: stranger } = await generateKeyPair('EdDSA');
    expect(await statusWith(await issue({}, stranger))).toBe(401);
    expect(await statusWith(new UnsecuredJWT({ ...claims, exp: inSeconds(60) }).encode())).toBe(401);
    expect(await statusWith('no-token')).toBe(401);
  },

  'A token for another service is refused': async () => {
    const { issue, statusWith } = await tokens();
    expect(await statusWith(await issue({ aud: 'https://other.example.com' }))).toBe(401);
    expect(await statusWith(await issue({ iss: 'https://other.example.com' }))).toBe(401);
    expect(await statusWith(await issue({ sub: undefined }))).toBe(401);
  },

  'A token that expires mid-session is refreshed once, for everything that waits': async () => {
    const { issue, open } = await tokens();
    let issued = 0;
    const client = open(() => {
      issued += 1;
      return issue();
    });
    await Promise.all([client.signin(), join(client, 'private-user-ann')]);
    expect(issued).toBe(1);

    vi.useFakeTimers({ now: Date.now() + 600_000, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    client.disconnect();
    const back = [
      nextEvent(client.user, 'pusher:signin_success'),
      nextEvent(client.channel('private-user-ann')!, 'pusher:subscription_succeeded'),
    ];
    client.connect();
    await Promise.all(back);
    expect(issued).toBe(2);
  },

  'A user who gets no new token is signed out': async () => {
    const { open } = await tokens();
    let asked = 0;
    const client = open(async () => {
      asked += 1;
      return null;
    });
    const events = recorded(client);
    const outcomes = await Promise.allSettled([client.signin(), join(client, 'private-user-ann')]);
    expect(outcomes).toMatchObject([
      {
        status: 'rejected',
        reason: { code: 'auth_failed', status: 401 } satisfies Partial<CountersignError>,
      },
      { status: 'fulfilled', value: 401 },
    ]);
    expect(asked).toBe(1);
    expect(events.filter(({ event }) => event === 'signedOut')).toHaveLength(1);
  },
});

interface Member extends AuthUser {
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
  readonly projects?: readonly string[];
}

interface RolesAndGroups {
  readonly access: Policy<Member>;
  createBackend(countersign: Countersign, findUser: (req: Request) => Member | undefined): Express;
}

const members: Readonly<Record<string, Member>> = {
  ann: { id: 'ann', roles: ['superadmin'], groups: ['kitchen', 'team-7'], projects: ['a'] },
  eve: { id: 'eve', roles: ['admin'], groups: [] },
};

async function rooms(): Promise<Site & { modules: RolesAndGroups }> {
  const modules = await cook<RolesAndGroups>('roles-and-groups');
  const findUser = (req: Request) => members[req.get('x-user') ?? ''];
  const site = await startSite((countersign) => modules.createBackend(countersign, findUser));
  return { ...site, modules };
}

/** Which of these channels a user may join. */
async function openTo(site: Site, user: string, channels: readonly string[]): Promise<string[]> {
  const response = await fetch(`${site.url}/countersign/auth`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user': user },
    body: JSON.stringify({ socket_id: '1.2', channel_name: channels }),
  });
  const answers = (await response.json()) as Record<string, { status: number }>;
  expect(Object.keys(answers)).toEqual(channels);
  return channels.filter((channel) => answers[channel]?.status === 200);
}

keepPromises('recipes/roles-and-groups.md', {
  'A role opens the channels that need it': async () => {
    const site = await rooms();
    expect(await openTo(site, 'eve', ['private-audit', 'presence-room-kitchen'])).toHaveLength(2);
    expect(await openTo(site, 'ann', ['private-audit'])).toEqual([]);
  },

  'A group opens the channels that are named after it': async () => {
    const channels = ['presence-room-kitchen', 'presence-room-attic', 'private-encrypted-team-7'];
    const opened = ['presence-room-kitchen', 'private-encrypted-team-7'];
    expect(await openTo(await rooms(), 'ann', channels)).toEqual(opened);
  },

  'A name that matches no pattern is refused': async () => {
    const channels = ['private-user-ann', 'private-user-', 'private-auditing', 'private-x', 'presence-room'];
    expect(await openTo(await rooms(), 'ann', channels)).toEqual(['private-user-ann']);
  },

  'A name cannot be read in two ways': async () => {
    const channels = ['private-project-a.c', 'private-project-a.b.c', 'private-project-b.a'];
    expect(await openTo(await rooms(), 'ann', channels)).toEqual(['private-project-a.c']);
    const { access } = (await rooms()).modules;
    expect(() => access.channel('private-{anything}', () => true)).toThrow(/the same channel/);
  },

  'A page gets all its channels with one request, each decided on its own': async () => {
    const site = await rooms();
    const { Countersign: Page } = await import('@countersign/sdk-client');
    const channelAuthorization = { headers: { 'x-user': 'ann' } };
    const options = { ...pageOptions(site, openBrowser(site)), channelAuthorization };
    const client = ending(new Page('key-1', options));
    const statuses = await Promise.all(
      ['private-user-ann', 'presence-room-kitchen', 'private-audit'].map((name) => join(client, name)),
    );
    expect(statuses).toEqual([200, 200, 403]);
    expect(site.requests).toEqual(['/countersign/auth']);
  },

  'A policy without a function that finds the user does not start': async () => {
    const { countersign, modules } = await rooms();
    expect(() => modules.createBackend(countersign, undefined as never)).toThrow(/user\(req\)/);
    expect(() => authRouter(countersign, { canAccess: modules.access.canAccess } as never)).toThrow();
  },
});
