import type { ChannelAuthorization, Fetch, SubscriptionError } from '@countersign/sdk-client';
import { expect, test } from 'vitest';
import { startAuthEndpoint } from './helpers/client-auth-endpoint.ts';
import { ManualClock } from './helpers/client-clock.ts';
import { nextEvent, startClient } from './helpers/client-start.ts';
import { startEndpoint } from './helpers/fake-endpoint.ts';

/** How a private channel fares with this authorization. */
async function refusal(
  channelAuthorization: ChannelAuthorization,
  name = 'private-a',
): Promise<SubscriptionError> {
  const endpoint = await startEndpoint();
  const channel = startClient(endpoint, { channelAuthorization }).subscribe(name);
  const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
  await endpoint.welcome('1.2');
  return refused;
}

test('the request is a form with headers, params and what their providers add', async () => {
  const { url, requests } = await startAuthEndpoint(() => ({ body: '{"auth":"key-1:sig"}' }));
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, {
    channelAuthorization: {
      endpoint: url,
      headers: { 'X-A': 'option', 'X-B': 'option' },
      params: { a: 'a b+c', b: 'option' },
      headersProvider: async () => ({ 'X-B': 'provider' }),
      paramsProvider: () => ({ b: 'ö' }),
    },
  });
  client.subscribe('private-a=b@c,d;e');
  const peer = await endpoint.welcome('1.2');
  expect(await peer.next()).toEqual({
    event: 'pusher:subscribe',
    data: { auth: 'key-1:sig', channel: 'private-a=b@c,d;e' },
  });
  expect(requests).toMatchObject([
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-a': 'option', 'x-b': 'provider' },
      body: 'socket_id=1.2&channel_name=private-a%3Db%40c%2Cd%3Be&a=a%20b%2Bc&b=%C3%B6',
    },
  ]);
});

test('endpoints and credentials have defaults, and can be chosen', async () => {
  const asked: [string, string][] = [];
  const fetch: Fetch = async (url, { credentials }) => {
    asked.push([url, credentials]);
    return { status: 200, text: async () => '{"auth":"key-1:sig","user_data":"{}"}' };
  };
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, { fetch, userAuthentication: { credentials: 'include' } });
  client.subscribe('private-a');
  client.signin();
  const peer = await endpoint.welcome();
  await peer.next();
  await peer.next();
  expect(asked).toEqual([
    ['/countersign/user-auth', 'include'],
    ['/countersign/auth', 'same-origin'],
  ]);
});

test.each([201, 204, 401, 403, 404, 500])('status %i is a refusal with that status', async (status) => {
  const { url } = await startAuthEndpoint(() => ({
    status,
    body: status === 204 ? '' : '{"auth":"key-1:sig"}',
  }));
  expect(await refusal({ endpoint: url })).toMatchObject({
    type: 'AuthError',
    status,
    message: `${url} answered with status ${status}`,
  });
});

test.each([
  ['no JSON', 'hello'],
  ['nothing', ''],
  ['JSON null', 'null'],
  ['no auth', '{}'],
  ['an auth that is not text', '{"auth":1}'],
])('status 200 with %s is a refusal', async (_, answer) => {
  const { url } = await startAuthEndpoint(() => ({ body: answer }));
  expect(await refusal({ endpoint: url })).toMatchObject({
    type: 'AuthError',
    status: 200,
    message: expect.stringContaining('"auth" as a string'),
  });
});

test('channel data that is an object is a refusal, not a subscription that hangs', async () => {
  const { url } = await startAuthEndpoint(() => ({ body: '{"auth":"a","channel_data":{"user_id":"7"}}' }));
  expect(await refusal({ endpoint: url }, 'presence-a')).toMatchObject({
    type: 'AuthError',
    message: expect.stringContaining('"channel_data" as a string'),
  });
});

test('an endpoint that cannot be reached is a refusal with status 0', async () => {
  const { port } = await startEndpoint();
  const refused = await refusal({ endpoint: `https://127.0.0.1:${port}/` });
  expect(refused).toMatchObject({
    type: 'AuthError',
    status: 0,
    message: expect.stringContaining('did not answer'),
  });
});

test.each<[string, NonNullable<ChannelAuthorization['customHandler']>]>([
  ['rejects', () => Promise.reject(new Error('Not now'))],
  [
    'throws',
    () => {
      throw new Error('Not now');
    },
  ],
  [
    'calls back with an error',
    (_, callback) => {
      callback(new Error('Not now'), null);
      return undefined;
    },
  ],
])('a handler of the app that %s is a refusal', async (_, customHandler) => {
  const message = 'customHandler did not answer: Error: Not now';
  expect(await refusal({ customHandler })).toEqual({ type: 'AuthError', status: 0, message, error: message });
});

test('an endpoint that does not answer is given up, and its request ended', async () => {
  const endpoint = await startEndpoint();
  const clock = new ManualClock();
  const signals: AbortSignal[] = [];
  const client = startClient(endpoint, {
    clock,
    requestTimeout: 3_000,
    fetch: (_, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    },
  });
  const channel = client.subscribe('private-a');
  const connected = nextEvent(client.connection, 'connected');
  clock.advance(0);
  await endpoint.welcome();
  await connected;
  await Promise.resolve();
  const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
  clock.advance(3_000);
  expect(await refused).toMatchObject({ type: 'TimeoutError', status: 0 });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
