/** When the SDK warns in the console, and how often. What it says of each mistake is in docs/mistakes.md. */
import { randomUUID } from 'node:crypto';
import { channelText, sign } from '@countersign/sdk-server/signature';
import { expect, test } from 'vitest';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startAuthEndpoint } from '../helpers/clients/client-auth-endpoint.ts';
import { eventually, nextEvent } from '../helpers/clients/client-start.ts';
import { consoleLines, firstOf, startUnheard as start } from '../helpers/clients/unheard-client.ts';

const signed = (form: string, channelData?: string, secret: string = APP.secret): string => {
  const fields = new URLSearchParams(form);
  const text = channelText(fields.get('socket_id') ?? '', fields.get('channel_name') ?? '', channelData);
  return `${APP.key}:${sign(secret, text)}`;
};

test('an endpoint that nobody serves', async () => {
  const broker = await startServer();
  const lines = consoleLines();
  const endpoint = 'http://127.0.0.1:9/auth';
  start(broker.port, { channelAuthorization: { endpoint } }).subscribe('private-room');
  expect(await firstOf(lines)).toMatch(
    /private-room is not subscribed: http:\/\/127\.0\.0\.1:9\/auth did not answer: .+ Does the backend run there\? See docs\/errors\.md#endpoint_unreachable$/,
  );
});

test('a client of a disabled app', async () => {
  const broker = await startServer({ app: { enabled: false } });
  const lines = consoleLines();
  start(broker.port);
  expect(await firstOf(lines)).toMatch(/Not connected to ws:.*Set "enabled" of the app.*#4003/);
});

test('a client without TLS, of an app that requires it', async () => {
  const broker = await startServer({ app: { requireTLS: true } });
  const lines = consoleLines();
  start(broker.port);
  expect(await firstOf(lines)).toMatch(/Not connected to ws:.* Remove forceTLS: false\..*#4000/);
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
