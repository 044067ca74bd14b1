import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Countersign } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import { expect, onTestFinished, test } from 'vitest';
import { TestClient } from './helpers/client.ts';
import { Inbox, listen, listenToAll, listenWithMetadata } from './helpers/inbox.ts';

const START = fileURLToPath(new URL('../docs/examples/chat/start.js', import.meta.url));

/** Starts the example as `npm run example` does, on free ports. */
async function startChat(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const child = spawn(process.execPath, [START], {
    env: { PATH: process.env['PATH'], PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const lines = new Inbox<string>('the line with the URL');
  createInterface({ input: child.stdout }).on('line', lines.put);
  const [url] = /http:\S+/.exec(await lines.next()) ?? [];
  if (!url) throw new Error('The first line has no URL');
  return { url, process: child };
}

interface Session {
  readonly user: { readonly id: string };
  readonly broker: { readonly key: string; readonly host: string; readonly port: number };
  readonly rooms: readonly { readonly id: string; readonly channel: string }[];
}

/** A browser that has logged in. */
class Visitor {
  constructor(
    readonly url: string,
    readonly cookie: string,
    readonly session: Session,
  ) {}

  static async logIn(url: string, name: string): Promise<Visitor> {
    const response = await post(`${url}/login`, new URLSearchParams({ name }));
    expect(response.status).toBe(303);
    const cookie = response.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    const session = await (await fetch(`${url}/session`, { headers: { cookie } })).json();
    return new Visitor(url, cookie, session as Session);
  }

  /** Connects as the page does, with the session's cookie. */
  connect(): Countersign {
    const { key, host, port } = this.session.broker;
    const headers = { cookie: this.cookie };
    const client = new Countersign(key, {
      host,
      port,
      forceTLS: false,
      encryption,
      channelAuthorization: { endpoint: `${this.url}/countersign/auth`, headers },
      userAuthentication: { endpoint: `${this.url}/countersign/user-auth`, headers },
    });
    onTestFinished(() => client.disconnect());
    return client;
  }

  async say(room: string, text: unknown, socketId: string | undefined): Promise<Response> {
    return post(`${this.url}/messages`, JSON.stringify({ room, text, socketId }), {
      cookie: this.cookie,
      'content-type': 'application/json',
    });
  }
}

function post(url: string, body: string | URLSearchParams, headers: Record<string, string> = {}) {
  return fetch(url, { method: 'POST', body, headers, redirect: 'manual' });
}

async function join(client: Countersign, name: string) {
  const channel = client.subscribe(name);
  await listen(channel, 'pusher:subscription_succeeded').next();
  return channel;
}

test('a message arrives at the others, and the sender has it from the answer', async () => {
  const { url } = await startChat();
  const [ann, bob] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Bob')];
  const annsClient = ann.connect();
  const [own, others] = [
    listenToAll(await join(annsClient, 'private-lounge')),
    listen(await join(bob.connect(), 'private-lounge'), 'message'),
  ];

  const answer = await ann.say('lounge', ' Hello 漢字! ', annsClient.connection.socket_id);
  expect(answer.status).toBe(201);
  const message = { from: 'Ann', text: 'Hello 漢字!', at: expect.any(String) };
  expect(await answer.json()).toEqual(message);
  expect(await others.next()).toEqual(message);

  await bob.say('lounge', 'Hello', undefined);
  expect(await own.next()).toEqual(['message', { from: 'Bob', text: 'Hello', at: expect.any(String) }]);
});

test('everybody sees who is here and who is typing', async () => {
  const { url } = await startChat();
  const annsClient = (await Visitor.logIn(url, 'Ann')).connect();
  const lounge = await join(annsClient, 'presence-lounge');
  const [added, typing] = [
    listen(lounge, 'pusher:member_added'),
    listenWithMetadata(lounge, 'client-typing'),
  ];
  const eve = await join((await Visitor.logIn(url, 'Eve')).connect(), 'presence-lounge');
  expect(await added.next()).toEqual({ id: 'eve', info: { name: 'Eve' } });
  eve.trigger('client-typing', {});
  expect(await typing.next()).toEqual([{}, { user_id: 'eve' }]);
});

test('the office is open to staff only, for reading and for writing', async () => {
  const { url } = await startChat();
  const [ann, eve] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Eve')];
  expect(ann.session.rooms.map(({ id }) => id)).toEqual(['lounge', 'office']);
  expect(eve.session.rooms.map(({ id }) => id)).toEqual(['lounge']);

  const errors = listen(eve.connect().subscribe('private-encrypted-office'), 'pusher:subscription_error');
  expect(await errors.next()).toMatchObject({ type: 'AuthError', status: 403 });
  expect((await eve.say('office', 'Hello', '1.1')).status).toBe(403);
});

test('the broker cannot read what is said in the office', async () => {
  const { url } = await startChat();
  const [ann, bob] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Bob')];
  const messages = listen(await join(bob.connect(), 'private-encrypted-office'), 'message');

  // What the broker passes on, seen without the key.
  const { key, host, port } = ann.session.broker;
  const wire = new TestClient(`ws://${host}:${port}/app/${key}?protocol=7`);
  onTestFinished(() => wire.close());
  await wire.established();
  const fields = new URLSearchParams({
    socket_id: wire.socketId,
    channel_name: 'private-encrypted-office',
  });
  const answer = await post(`${url}/countersign/auth`, fields, { cookie: ann.cookie });
  const { auth } = (await answer.json()) as { auth: string };
  wire.subscribe('private-encrypted-office', { auth });
  await wire.next();

  await ann.say('office', 'the secret plan', '1.1');
  expect(await messages.next()).toMatchObject({ from: 'Ann', text: 'the secret plan' });
  const { event, data } = await wire.nextMessage();
  expect(event).toBe('message');
  expect(Object.keys(JSON.parse(String(data)))).toEqual(['nonce', 'ciphertext']);
  expect(data).not.toContain('secret plan');
});

test('logging out ends the connections of the user', async () => {
  const { url } = await startChat();
  const ann = await Visitor.logIn(url, 'Ann');
  const client = ann.connect();
  await client.signin();
  const states = listen(client.connection, 'state_change');
  expect((await post(`${url}/logout`, '', { cookie: ann.cookie })).status).toBe(303);
  expect(await states.next()).toEqual({ previous: 'connected', current: 'disconnected' });
});

test('who has not logged in gets the login page and nothing else', async () => {
  const { url } = await startChat();
  const page = await fetch(url);
  expect(await page.text()).toContain('action="/login"');
  const fields = new URLSearchParams({ socket_id: '1.1', channel_name: 'private-lounge' });
  const answers = await Promise.all([
    fetch(`${url}/session`),
    post(`${url}/countersign/auth`, fields),
    post(`${url}/countersign/user-auth`, fields),
    post(`${url}/messages`, '{}', { 'content-type': 'application/json' }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
});

test('a session that was tampered with is none', async () => {
  const { url } = await startChat();
  const { cookie } = await Visitor.logIn(url, 'Eve');
  const asAnn = Buffer.from(JSON.stringify({ user: { id: 'ann', info: { name: 'Ann' } } })).toString(
    'base64',
  );
  const forged = cookie.replace(/chat=[^;]+/, `chat=${asAnn}`);
  expect((await fetch(`${url}/session`, { headers: { cookie: forged } })).status).toBe(401);
});

test('messages that are none are refused with a reason', async () => {
  const { url } = await startChat();
  const ann = await Visitor.logIn(url, 'Ann');
  const answers = [
    await ann.say('lounge', '   ', '1.1'),
    await ann.say('lounge', 'x'.repeat(1001), '1.1'),
    await ann.say('lounge', { text: 'x' }, '1.1'),
    await ann.say('lounge', 'Hello', 'not a socket'),
    await post(`${url}/messages`, '{', { cookie: ann.cookie, 'content-type': 'application/json' }),
    await post(`${url}/login`, new URLSearchParams({ name: 'no spaces' })),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: expect.any(String) });
  }
});

test('the page loads everything from its own server, under a strict policy', async () => {
  const { url } = await startChat();
  const { cookie, session } = await Visitor.logIn(url, 'Ann');
  const page = await fetch(url, { headers: { cookie } });
  const html = await page.text();
  expect(page.headers.get('content-security-policy')).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; " +
      `connect-src 'self' ws://127.0.0.1:${session.broker.port}; ` +
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  );
  const assets = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path!);
  expect(assets).toEqual(['/page/chat.css', '/page/chat.js']);
  const modules = await modulesOf(url, assets);
  expect([...modules]).toEqual(expect.arrayContaining(['/sdk/index.js', '/sdk/encrypted.js']));
  for (const path of modules) {
    expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);
  }
});

/** The files and all that they import. */
async function modulesOf(url: string, paths: readonly string[]): Promise<Set<string>> {
  const found = new Set(paths);
  for (const path of found) {
    const text = await (await fetch(url + path)).text();
    for (const [, target = ''] of text.matchAll(/^(?:import|export) [^'"]*from ['"]([^'"]+)['"]/gm)) {
      found.add(new URL(target, url + path).pathname);
    }
  }
  return found;
}

test('Ctrl-C ends it, also while somebody is connected', async () => {
  const { url, process: child } = await startChat();
  await join((await Visitor.logIn(url, 'Ann')).connect(), 'private-lounge');
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
