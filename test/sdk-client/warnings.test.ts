import { randomUUID } from 'node:crypto';
import { Countersign, type CountersignOptions } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import { channelText, sign } from '@countersign/sdk-server/signature';
import { expect, onTestFinished, test, vi } from 'vitest';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { type AuthAnswer, startAuthEndpoint } from '../helpers/clients/client-auth-endpoint.ts';
import { eventually, nextEvent } from '../helpers/clients/client-start.ts';

const HTML = '<!doctype html><html><head><title>Shop</title></head><body><h1>Log in</h1></body></html>';

/** What the developer reads in the console from now on, one text a call. */
function consoleLines(method: 'warn' | 'log' = 'warn'): string[] {
  const lines: string[] = [];
  const spy = vi
    .spyOn(console, method)
    .mockImplementation((...texts) => lines.push(texts.map(String).join(' ')));
  onTestFinished(() => spy.mockRestore());
  return lines;
}

/** A client that nobody listens to. */
function start(port: number, options: Partial<CountersignOptions> = {}, key: string = APP.key): Countersign {
  const client = new Countersign(key, {
    host: '127.0.0.1',
    port,
    forceTLS: false,
    reconnect: { minDelay: 1, maxDelay: 5 },
    ...options,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

async function firstOf(lines: readonly string[]): Promise<string> {
  await eventually(() => lines.length).toBeGreaterThan(0);
  return lines[0] ?? '';
}

const signed = (form: string, channelData?: string, secret: string = APP.secret): string => {
  const fields = new URLSearchParams(form);
  const text = channelText(fields.get('socket_id') ?? '', fields.get('channel_name') ?? '', channelData);
  return `${APP.key}:${sign(secret, text)}`;
};

interface Mistake {
  readonly channel?: string;
  readonly answer: (form: string) => AuthAnswer;
  /** What the warning says: what, why, what to do, and where it is documented. */
  readonly says: readonly (string | RegExp)[];
}

const OF_ENDPOINTS: Readonly<Record<string, Mistake>> = {
  'a page with status 200': {
    answer: () => ({ body: HTML }),
    says: ['returned "Shop Log in"', 'JSON such as {"auth":"KEY:SIGNATURE"}', '#endpoint_invalid'],
  },
  'JSON without auth': {
    answer: () => ({ body: { token: 'hush' } }),
    says: ['returned JSON with token', '"auth" as a string', '#endpoint_invalid'],
  },
  'status 401': {
    answer: () => ({ status: 401, body: { error: 'Sign in first', code: 'not_signed_in' } }),
    says: ['status 401: Sign in first', 'Is somebody signed in', '#endpoint_refused'],
  },
  'status 403': {
    answer: () => ({ status: 403, body: { message: 'ann is not in this room' } }),
    says: ['status 403: ann is not in this room', 'canAccess', '#endpoint_refused'],
  },
  'status 404': {
    answer: () => ({ status: 404, body: '<html><body><pre>Cannot POST /auth</pre></body></html>' }),
    says: ['status 404: Cannot POST /auth', 'Mount authRouter there', '"endpoint"', '#endpoint_refused'],
  },
  'status 500': {
    answer: () => ({ status: 500, body: 'no such table: users' }),
    says: ['status 500: no such table: users', 'The log of the app', '#endpoint_refused'],
  },
  'a redirect to a login page': {
    answer: () => ({ status: 302, headers: { Location: '/login?next=/auth' } }),
    says: ['redirects (to /login)', 'login page', '401 in place of a redirect', '#endpoint_redirected'],
  },
  'a presence channel without channel_data': {
    channel: 'presence-room',
    answer: (form) => ({ body: { auth: signed(form) } }),
    says: ['needs channel_data with user_id', 'authRouter adds it', '#member_missing'],
  },
  'channel_data without user_id': {
    channel: 'presence-room',
    answer: (form) => ({ body: { auth: signed(form, '{"id":7}'), channel_data: '{"id":7}' } }),
    says: ['needs channel_data with user_id', '#member_missing'],
  },
  'channel_data that is an object': {
    channel: 'presence-room',
    answer: (form) => ({ body: { auth: signed(form, '{"user_id":"7"}'), channel_data: { user_id: '7' } } }),
    says: ['"channel_data" as a string', '#endpoint_invalid'],
  },
  'an encrypted channel without shared_secret': {
    channel: 'private-encrypted-room',
    answer: (form) => ({ body: { auth: signed(form) } }),
    says: ['needs a valid shared_secret', 'encryptionMasterKeyBase64', '#key_invalid'],
  },
  'a key that the app does not have': {
    answer: (form) => ({ body: { auth: signed(form).replace(APP.key, 'nope') } }),
    says: ["this app has no key 'nope'", '#unknown_key'],
  },
  'a signature without the key': {
    answer: (form) => ({ body: { auth: signed(form).replace(/.*:/, '') } }),
    says: ['expected KEY:SIGNATURE with 64 lower-case hex digits', '#invalid_auth'],
  },
  'the wrong secret': {
    answer: (form) => ({ body: { auth: signed(form, undefined, 'another secret') } }),
    says: [
      'Invalid signature',
      'another secret, or another text',
      'console',
      'explainRefusals',
      '#invalid_signature',
    ],
  },
};

test.each(Object.entries(OF_ENDPOINTS))('an endpoint that answers %s', async (_, mistake) => {
  const { channel = 'private-room', answer, says } = mistake;
  const broker = await startServer();
  const { url, requests } = await startAuthEndpoint(({ body }) => answer(body));
  const lines = consoleLines();
  start(broker.port, { encryption, channelAuthorization: { endpoint: `${url}?token=hush` } }).subscribe(
    channel,
  );
  const line = await firstOf(lines);
  expect(line).toContain(`[countersign] ${channel} is not subscribed: `);
  for (const text of says) expect(line).toMatch(text);
  expect(line).not.toContain('hush');
  expect(line).not.toContain(APP.secret);
  expect(requests.length).toBeGreaterThan(0);
});

const SECOND = { key: 'key-2', secret: 'secret-2' };
const DATA = '{"user_id":"7","user_info":{"name":"Ann"}}';

test.each<[string, string, (form: string) => object, string]>([
  [
    'the secret of another key',
    'private-room',
    (form) => ({ auth: signed(form, undefined, SECOND.secret) }),
    'It names the key key-1, but the secret of key-2 signed.',
  ],
  [
    'a signature for another socket id',
    'private-room',
    (form) => ({ auth: signed(form.replace(/socket_id=[\d.]+/, 'socket_id=1.2')) }),
    'most likely the backend uses a different secret, or signs a different text.',
  ],
  [
    'channel_data that was printed again',
    'presence-room',
    (form) => ({ auth: signed(form, JSON.stringify(JSON.parse(DATA), null, 2)), channel_data: DATA }),
    'sign and send the same text',
  ],
])('in development, the warning names the mistake: %s', async (_, channel, answer, mistake) => {
  const keys = [{ key: APP.key, secret: APP.secret }, SECOND];
  const broker = await startServer({ app: { keys, explainRefusals: true } });
  const { url } = await startAuthEndpoint(({ body }) => ({ body: answer(body) }));
  const lines = consoleLines();
  start(broker.port, { channelAuthorization: { endpoint: url } }).subscribe(channel);
  const line = await firstOf(lines);
  expect(line).toContain('Invalid signature: expected the HMAC SHA256 hex digest of');
  expect(line).toContain(mistake);
  expect(line).toContain('#invalid_signature');
});

test('an endpoint that nobody serves', async () => {
  const broker = await startServer();
  const lines = consoleLines();
  const endpoint = 'http://127.0.0.1:9/auth';
  start(broker.port, { channelAuthorization: { endpoint } }).subscribe('private-room');
  expect(await firstOf(lines)).toMatch(
    /private-room is not subscribed: http:\/\/127\.0\.0\.1:9\/auth did not answer: .+ Does the backend run there\? See docs\/errors\.md#endpoint_unreachable$/,
  );
});

test('a space in the name of a channel', async () => {
  const broker = await startServer();
  const lines = consoleLines();
  start(broker.port).subscribe('my news');
  expect(await firstOf(lines)).toMatch(
    /my news is not subscribed: .*expected 1 to .* of A-Z.*#invalid_channel/,
  );
});

const OF_CONNECTIONS: Readonly<
  Record<
    string,
    ServerSettings & { key?: string; options?: Partial<CountersignOptions>; says: readonly string[] }
  >
> = {
  'the wrong key': {
    key: 'nokey',
    says: ["No app has the key 'nokey'", 'Compare the key with "keys"', '#4001'],
  },
  'the wrong path': {
    config: { pathPrefix: '/realtime' },
    says: ['expected /realtime/app/KEY', 'Set the option "path"', '#4005'],
  },
  'a broker that wants TLS, behind a proxy that it does not know': {
    app: { requireTLS: true },
    options: { forceTLS: false },
    says: ['trustProxy', '#4000'],
  },
  'a disabled app': { app: { enabled: false }, says: ['Set "enabled"', '#4003'] },
  'an app that is full': {
    limits: { connections: 0 },
    says: ['Raise limits.connections', '#4004'],
  },
};

test.each(Object.entries(OF_CONNECTIONS).filter(([name]) => !/full|proxy/.test(name)))(
  'a client with %s',
  async (_, { key, options, says, ...settings }) => {
    const broker = await startServer(settings);
    const lines = consoleLines();
    start(broker.port, options, key);
    const line = await firstOf(lines);
    expect(line).toContain(`[countersign] Not connected to ws://127.0.0.1:${broker.port}/app/`);
    for (const text of says) expect(line).toContain(text);
  },
);

test('a connection more than the app may have', async () => {
  const broker = await startServer({ limits: { connections: 1 } });
  const lines = consoleLines();
  await nextEvent(start(broker.port).connection, 'connected');
  start(broker.port);
  expect(await firstOf(lines)).toMatch(/Raise limits\.connections.*#4004/);
});

test('nothing listens: what was tried, and what to check', async () => {
  const lines = consoleLines();
  start(9);
  const line = await firstOf(lines);
  expect(line).toContain('Not connected to ws://127.0.0.1:9/app/key-1: ');
  expect(line).toMatch(/Does the broker run there \(host, port, path\)\?.*Upgrade.*#connection_failed/);
});

test('TLS to a port without it', async () => {
  const broker = await startServer();
  const lines = consoleLines();
  start(broker.port, { forceTLS: true });
  expect(await firstOf(lines)).toMatch(
    /Not connected to wss:.*If the port does not speak TLS, set forceTLS: false/,
  );
});

test('a sign-in that the app refuses', async () => {
  const broker = await startServer();
  const { url } = await startAuthEndpoint(() => ({ status: 401, body: { error: 'Sign in first' } }));
  const lines = consoleLines();
  const error = await start(broker.port, { userAuthentication: { endpoint: url } })
    .signin()
    .catch((reason: unknown) => reason);
  expect(await firstOf(lines)).toMatch(/Not signed in: .*status 401: Sign in first\..*#endpoint_refused/);
  expect(error).toMatchObject({
    code: 'auth_failed',
    reason: 'endpoint_refused',
    status: 401,
    url,
    body: '{"error":"Sign in first"}',
    docs: 'docs/errors.md#endpoint_refused',
  });
});

test('one cause is told once, however many channels it concerns', async () => {
  const broker = await startServer();
  const { url } = await startAuthEndpoint(({ channels: [name] }) => ({
    status: 403,
    body: { error: `Not ${name}` },
  }));
  const lines = consoleLines();
  const client = start(broker.port, { channelAuthorization: { endpoint: url, batch: false } });
  const names = Array.from({ length: 20 }, () => `private-${randomUUID()}`);
  for (const name of names) client.subscribe(name);
  await eventually(() => names.every((name) => client.channel(name)?.status === 'refused')).toBe(true);
  expect(lines.length).toBe(1);
});

test('who listens is not told a second time; who listens to everything else is', async () => {
  const broker = await startServer();
  const { url } = await startAuthEndpoint(() => ({ status: 403 }));
  const lines = consoleLines();
  const client = start(broker.port, { channelAuthorization: { endpoint: url } });
  const heard = client.subscribe('private-heard');
  expect(await nextEvent(heard, 'pusher:subscription_error')).toMatchObject({
    type: 'EndpointError',
    code: 'endpoint_refused',
    url,
    docs: 'docs/errors.md#endpoint_refused',
  });
  expect(lines).toEqual([]);
  client.bind_global(() => {});
  client.subscribe('private-unheard');
  expect(await firstOf(lines)).toContain('private-unheard is not subscribed');
});

test('silent says nothing, debug tells steps and frames but no signature', async () => {
  const broker = await startServer();
  const { url } = await startAuthEndpoint(({ body }) => ({ body: { auth: signed(body) } }));
  const warned = consoleLines();
  const told = consoleLines('log');
  const debugging = start(broker.port, { debug: true, channelAuthorization: { endpoint: url } });
  const room = debugging.subscribe('private-room');
  await nextEvent(room, 'pusher:subscription_succeeded');
  expect(told).toContainEqual(expect.stringMatching(/^\[countersign\] sends pusher:subscribe private-room/));
  expect(told).toContainEqual(expect.stringMatching(/^\[countersign\] state_change/));
  expect(told.join()).not.toMatch(/key-1:[0-9a-f]{64}/);
  const silent = start(broker.port, { logLevel: 'silent' }).subscribe('my news');
  await eventually(() => silent.status).toBe('refused');
  expect(warned).toEqual([]);
  expect(() => start(9, { logLevel: 'loud' as never })).toThrow('"logLevel" is one of silent, warn, debug');
});
