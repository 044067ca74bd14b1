import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { Countersign } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import { expect, onTestFinished, test } from 'vitest';
import { startChat } from '../helpers/brokers/chat.ts';
import { TestClient } from '../helpers/clients/client.ts';
import { listen, listenToAll, listenWithMetadata } from '../helpers/clients/event-inbox.ts';
import { eventually } from '../helpers/eventually.ts';

/** What the page is shown of a webhook. */
interface Told {
  readonly id: string;
  readonly name: string;
  readonly channel?: string;
  readonly user_id?: string;
}

interface Session {
  readonly user: { readonly id: string };
  readonly broker: { readonly key: string; readonly host: string; readonly port: number };
  readonly rooms: readonly { readonly id: string; readonly channel: string }[];
  readonly seesWebhooks: boolean;
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

  get(path: string): Promise<Response> {
    return fetch(this.url + path, { headers: { cookie: this.cookie } });
  }

  async devices(client: Countersign): Promise<unknown[]> {
    const answer = await this.get(`/devices?socketId=${client.connection.socket_id}`);
    return (await answer.json()) as unknown[];
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
  const heard = await own.until(([event]) => event === 'message');
  expect(heard.at(-1)).toEqual(['message', { from: 'Bob', text: 'Hello', at: expect.any(String) }]);
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
  void eve.trigger('client-typing', {});
  expect(await typing.next()).toEqual([{}, { user_id: 'eve' }]);
});

test('the office is open to staff only, for reading and for writing', async () => {
  const { url } = await startChat();
  const [ann, eve] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Eve')];
  expect(ann.session.rooms.map(({ id }) => id)).toEqual(['lounge', 'office']);
  expect(eve.session.rooms.map(({ id }) => id)).toEqual(['lounge']);

  const errors = listen(eve.connect().subscribe('private-encrypted-office'), 'pusher:subscription_error');
  expect(await errors.next()).toMatchObject({ type: 'EndpointError', status: 403 });
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
  const { auth, channel_data } = (await answer.json()) as { auth: string; channel_data: string };
  wire.subscribe('private-encrypted-office', { auth, channel_data });
  await wire.next();

  await ann.say('office', 'the secret plan', '1.1');
  expect(await messages.next()).toMatchObject({ from: 'Ann', text: 'the secret plan' });
  let frame = await wire.nextMessage();
  while (frame.event === 'pusher_internal:subscription_count') frame = await wire.nextMessage();
  const { event, data } = frame;
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

test("the devices of a user are listed, this one is marked, and nobody else's are there", async () => {
  const { url } = await startChat();
  const [phone, laptop] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Ann')];
  const bob = await Visitor.logIn(url, 'Bob');
  const [phonesClient, laptopsClient, bobsClient] = [phone.connect(), laptop.connect(), bob.connect()];
  for (const client of [phonesClient, bobsClient]) await client.signin();
  const counts = listen(await join(phonesClient, 'private-user-ann'), 'pusher:subscription_count');

  // As the page does: the count says that the list is another one.
  await laptopsClient.signin();
  await join(laptopsClient, 'private-user-ann');
  await counts.until((count) => (count as { subscription_count: number }).subscription_count === 2);
  const device = {
    client: expect.stringContaining('countersign-js'),
    address: '127.0.0.1',
    since: expect.any(String),
  };
  const listed = [
    { ...device, isThisOne: true },
    { ...device, isThisOne: false },
  ];
  for (const devices of [await phone.devices(phonesClient), await laptop.devices(laptopsClient)]) {
    expect(devices).toHaveLength(2);
    expect(devices).toEqual(expect.arrayContaining(listed));
  }
  expect(await bob.devices(bobsClient)).toEqual([{ ...device, isThisOne: true }]);

  const errors = listen(bobsClient.subscribe('private-user-ann'), 'pusher:subscription_error');
  expect(await errors.next()).toMatchObject({ type: 'EndpointError', status: 403 });
});

test('signing out everywhere ends all devices with the reason, and their sessions; others stay', async () => {
  const { url } = await startChat();
  const [phone, laptop] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Ann')];
  const bob = await Visitor.logIn(url, 'Bob');
  const clients = [phone.connect(), laptop.connect()];
  const bobsClient = bob.connect();
  for (const client of [...clients, bobsClient]) await client.signin();
  const heard = clients.map((client) => ({
    terminated: listen(client, 'terminated'),
    states: listen(client.connection, 'state_change'),
  }));

  expect((await post(`${url}/sign-out-everywhere`, '', { cookie: phone.cookie })).status).toBe(303);
  for (const { terminated, states } of heard) {
    expect(await terminated.next()).toEqual({ reason: 'Signed out everywhere', code: 'terminated' });
    expect(await states.next()).toEqual({ previous: 'connected', current: 'disconnected' });
  }
  for (const { cookie } of [phone, laptop]) {
    const fields = new URLSearchParams({ socket_id: '1.1' });
    expect((await fetch(`${url}/session`, { headers: { cookie } })).status).toBe(401);
    expect((await post(`${url}/countersign/user-auth`, fields, { cookie })).status).toBe(401);
  }

  expect((await bob.get('/session')).status).toBe(200);
  const messages = listen(await join(bobsClient, 'private-lounge'), 'message');
  await bob.say('lounge', 'Still here', undefined);
  expect(await messages.next()).toMatchObject({ text: 'Still here' });
  const back = (await Visitor.logIn(url, 'Ann')).connect();
  expect(await back.signin()).toMatchObject({ id: 'ann' });
});

test('the staff sees live which webhooks arrive, and later those that came', async () => {
  const { url } = await startChat();
  const ann = await Visitor.logIn(url, 'Ann');
  const received = listen<Told>(await join(ann.connect(), 'private-webhooks'), 'received');
  const told: Told[] = [];
  const hear = async (expected: Partial<Told>) => {
    const isExpected = (event: Told) =>
      Object.entries(expected).every(([name, value]) => event[name as keyof Told] === value);
    told.push(...(told.some(isExpected) ? [] : await received.until(isExpected)));
  };

  const eve = await Visitor.logIn(url, 'Eve');
  const evesClient = eve.connect();
  await evesClient.signin();
  const lounge = await join(evesClient, 'presence-lounge');
  // As large as an event can be: what is said about it still has room.
  void lounge.trigger('client-typing', { text: 'x'.repeat(10_000) });
  await hear({ name: 'user_online', user_id: 'eve' });
  await hear({ name: 'channel_occupied', channel: 'presence-lounge' });
  await hear({ name: 'member_added', channel: 'presence-lounge', user_id: 'eve' });
  await hear({ name: 'client_event', channel: 'presence-lounge', user_id: 'eve' });
  evesClient.disconnect();
  await hear({ name: 'member_removed', channel: 'presence-lounge', user_id: 'eve' });
  await hear({ name: 'channel_vacated', channel: 'presence-lounge' });
  await hear({ name: 'user_offline', user_id: 'eve' });
  expect(told.filter((event) => 'data' in event)).toEqual([]);

  const kept = (await (await ann.get('/webhooks')).json()) as Told[];
  const keptIds = new Set(kept.map(({ id }) => id));
  expect(told.filter(({ id }) => !keptIds.has(id))).toEqual([]);
  expect(eve.session.seesWebhooks).toBe(false);
  expect((await eve.get('/webhooks')).status).toBe(403);
});

test('the last 50 webhooks are kept', async () => {
  const { url } = await startChat();
  const ann = await Visitor.logIn(url, 'Ann');
  const received = listen<Told>(await join(ann.connect(), 'private-webhooks'), 'received');
  // The broker admits ten client events of one connection at once.
  for (let connections = 0; connections < 6; connections++) {
    const lounge = await join(ann.connect(), 'presence-lounge');
    for (let events = 0; events < 10; events++) void lounge.trigger('client-typing', {});
  }
  const ids: string[] = [];
  for (let events = 0; events < 60; ) {
    const { id, name } = await received.next();
    ids.push(id);
    if (name === 'client_event') events++;
  }
  await eventually(async () => {
    const kept = (await (await ann.get('/webhooks')).json()) as Told[];
    expect(kept.map(({ id }) => id)).toEqual(ids.slice(-50));
  });
});

test('a webhook that the broker did not sign is refused, and nobody sees it', async () => {
  const { url } = await startChat();
  const ann = await Visitor.logIn(url, 'Ann');
  const body = JSON.stringify({
    time_ms: Date.now(),
    events: [{ name: 'user_online', user_id: 'mallory', id: 'forged' }],
  });
  const signature = createHmac('sha256', 'not the secret').update(body).digest('hex');
  const headers = { 'content-type': 'application/json' };
  const { key } = ann.session.broker;
  for (const forged of [
    headers,
    { ...headers, 'x-pusher-key': key, 'x-pusher-signature': signature },
    { ...headers, 'x-pusher-key': 'another', 'x-pusher-signature': signature },
  ]) {
    expect((await post(`${url}/webhooks`, body, forged)).status).toBe(401);
  }
  const received = listen<Told>(await join(ann.connect(), 'private-webhooks'), 'received');
  await (await Visitor.logIn(url, 'Bob')).connect().signin();
  const told = await received.until(({ name }) => name === 'user_online');
  const kept = (await (await ann.get('/webhooks')).json()) as Told[];
  expect([...told, ...kept].filter(({ user_id }) => user_id === 'mallory')).toEqual([]);
});

test('who has not logged in gets the login page and nothing else', async () => {
  const { url } = await startChat();
  const page = await fetch(url);
  expect(await page.text()).toContain('action="/login"');
  const fields = new URLSearchParams({ socket_id: '1.1', channel_name: 'private-lounge' });
  const answers = await Promise.all([
    fetch(`${url}/session`),
    fetch(`${url}/devices`),
    fetch(`${url}/webhooks`),
    post(`${url}/countersign/auth`, fields),
    post(`${url}/countersign/user-auth`, fields),
    post(`${url}/messages`, '{}', { 'content-type': 'application/json' }),
  ]);
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 401]);
});

test('a session that was tampered with is none', async () => {
  const { url } = await startChat();
  const [ann, eve] = [await Visitor.logIn(url, 'Ann'), await Visitor.logIn(url, 'Eve')];
  const [annsSession] = /chat=[^;]+/.exec(ann.cookie)!;
  const forged = eve.cookie.replace(/chat=[^;]+/, annsSession);
  expect(forged).not.toBe(eve.cookie);
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
  expect(assets).toEqual(['/page/chat.css', '/page/chat.js', '/page/devices.js', '/page/webhooks.js']);
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

test('Ctrl-C leaves time for what is being answered, which still has the broker', async () => {
  const { url, process: child } = await startChat();
  const ann = await Visitor.logIn(url, 'Ann');
  const headers = { cookie: ann.cookie, 'content-type': 'application/json', expect: '100-continue' };
  const message = request(`${url}/messages`, { method: 'POST', headers });
  message.flushHeaders();
  await once(message, 'continue');

  child.kill('SIGINT');
  // It takes no new connections any more, so the signal has arrived.
  const { hostname, port } = new URL(url);
  await eventually(async () => {
    const probe = connect(Number(port), hostname);
    // Who still gets in goes at once, and not when the process does.
    const failure = await once(probe, 'connect').then(
      () => probe.destroy(),
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'ECONNREFUSED' });
  });
  message.end(JSON.stringify({ room: 'lounge', text: 'Hello' }));
  const [answer] = (await once(message, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(201);
  expect(await once(child, 'exit')).toEqual([0, null]);
});
