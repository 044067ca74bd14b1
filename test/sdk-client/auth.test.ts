import type { ChannelAuthorization, ChannelGrant, Fetch, SubscriptionError } from '@countersign/sdk-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startAuthEndpoint } from '../helpers/clients/client-auth-endpoint.ts';
import { ManualClock } from '../helpers/clients/client-clock.ts';
import { eventually, nextEvent, startClient } from '../helpers/clients/client-start.ts';
import { startEndpoint } from '../helpers/clients/fake-endpoint.ts';

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
  const asked: [string, string | undefined][] = [];
  const fetch: Fetch = async (url, { credentials }) => {
    asked.push([url, credentials]);
    return { status: 200, text: async () => '{"auth":"key-1:sig","user_data":"{}"}' };
  };
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, { fetch, userAuthentication: { credentials: 'include' } });
  client.subscribe('private-a');
  void client.signin();
  const peer = await endpoint.welcome();
  await peer.next();
  await peer.next();
  expect(asked).toEqual([
    ['/countersign/user-auth', 'include'],
    ['/countersign/auth', undefined],
  ]);
});

test.each([400, 401, 403, 404, 500, 503])('status %i is a refusal with that status', async (status) => {
  const { url } = await startAuthEndpoint(() => ({
    status,
    body: '{"auth":"key-1:sig"}',
  }));
  expect(await refusal({ endpoint: url })).toMatchObject({
    type: 'EndpointError',
    status,
    message: `${url} responded with status ${status}`,
    code: 'endpoint_refused',
  });
});

test.each([201, 202])('status %i grants as 200 does', async (status) => {
  const { url, requests } = await startAuthEndpoint(() => ({ status, body: '{"auth":"key-1:sig"}' }));
  const endpoint = await startEndpoint();
  startClient(endpoint, { channelAuthorization: { endpoint: url } }).subscribe('private-a');
  expect(await (await endpoint.welcome()).next()).toMatchObject({ data: { auth: 'key-1:sig' } });
  expect(requests.length).toBe(1);
});

test.each([301, 302, 307, 308])('a redirect with status %i is not followed, and said', async (status) => {
  const elsewhere = await startAuthEndpoint(() => ({ body: '{"auth":"key-1:sig"}' }));
  const { url } = await startAuthEndpoint(() => ({ status, headers: { Location: elsewhere.url } }));
  const refused = await refusal({
    endpoint: url,
    headers: { Authorization: 'Bearer token' },
    params: { tenant: 't' },
  });
  expect(refused).toMatchObject({
    type: 'EndpointError',
    status,
    message: expect.stringContaining(elsewhere.url),
  });
  expect(refused.retryIn).toBeUndefined();
  expect(elsewhere.requests).toEqual([]);
});

test('a browser does not say where a redirect leads, and it is an error all the same', async () => {
  const endpoint = await startEndpoint();
  const channel = startClient(endpoint, {
    fetch: async () => ({ status: 0, headers: new Headers(), text: async () => '' }),
  }).subscribe('private-a');
  const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
  await endpoint.welcome();
  expect(await refused).toMatchObject({ status: 0, message: expect.stringContaining('not followed') });
  expect((await refused).retryIn).toBeUndefined();
});

test.each([undefined, null])('a header or a field that is %s is not sent', async (value) => {
  const { url, requests } = await startAuthEndpoint(() => ({ body: '{"auth":"key-1:sig"}' }));
  const endpoint = await startEndpoint();
  startClient(endpoint, {
    channelAuthorization: {
      endpoint: url,
      headers: { 'X-CSRF-Token': value },
      params: { a: value },
      headersProvider: () => ({ 'X-Team': value }),
      paramsProvider: () => ({ b: value }),
    },
  }).subscribe('private-a');
  await (await endpoint.welcome('1.2')).next();
  expect(requests[0]?.body).toBe('socket_id=1.2&channel_name=private-a');
  expect(Object.keys(requests[0]?.headers ?? {})).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^x-/)]),
  );
});

test('a platform that refuses credentials is not asked for any, where the app named none', async () => {
  const asked: object[] = [];
  const fetch: Fetch = async (_, init) => {
    asked.push(init);
    return { status: 200, text: async () => '{"auth":"key-1:sig"}' };
  };
  const endpoint = await startEndpoint();
  startClient(endpoint, { fetch }).subscribe('private-a');
  await (await endpoint.welcome()).next();
  expect(asked[0]).not.toHaveProperty('credentials');
  expect(asked[0]).toMatchObject({ redirect: 'manual' });
});

test('a fetch that does not know the signal of this environment is asked without it', async () => {
  const { url } = await startAuthEndpoint(() => ({ body: '{"auth":"key-1:sig"}' }));
  const endpoint = await startEndpoint();
  // As where tests run in a document that is made of JavaScript, with a signal of its own.
  const foreign: Fetch = (input, init) =>
    fetch(input, init.signal ? { ...init, signal: new EventTarget() as AbortSignal } : init);
  startClient(endpoint, { fetch: foreign, channelAuthorization: { endpoint: url } }).subscribe('private-a');
  await (await endpoint.welcome()).next();
});

test('a fetch that is replaced after the client was made is the one that is asked, and not as a method', async () => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint);
  const receivers: unknown[] = [];
  const strict = async function (this: unknown) {
    receivers.push(this);
    return { status: 200, text: async () => '{"auth":"key-1:sig"}' };
  };
  vi.stubGlobal('fetch', strict);
  onTestFinished(() => {
    vi.unstubAllGlobals();
  });
  client.subscribe('private-a');
  await (await endpoint.welcome()).next();
  expect(receivers).toEqual([globalThis]);
  const own = startClient(endpoint, { fetch: strict });
  own.subscribe('private-a');
  await (await endpoint.welcome()).next();
  expect(receivers).toEqual([globalThis, undefined]);
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
    type: 'EndpointError',
    status: 200,
    message: expect.stringContaining('"auth" as a string'),
  });
});

test('channel data that is an object is a refusal, not a subscription that hangs', async () => {
  const { url } = await startAuthEndpoint(() => ({ body: '{"auth":"a","channel_data":{"user_id":"7"}}' }));
  expect(await refusal({ endpoint: url }, 'presence-a')).toMatchObject({
    type: 'EndpointError',
    message: expect.stringContaining('"channel_data" as a string'),
  });
});

test('an endpoint that cannot be reached is a refusal with status 0', async () => {
  const { port } = await startEndpoint();
  const refused = await refusal({ endpoint: `https://127.0.0.1:${port}/` });
  expect(refused).toMatchObject({
    type: 'EndpointError',
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
  expect(await refusal({ customHandler })).toMatchObject({
    type: 'EndpointError',
    status: 0,
    message,
    error: message,
    retryIn: expect.any(Number),
  });
});

test('a handler that fails with a status is taken at its word', async () => {
  const customHandler = () => Promise.reject(Object.assign(new Error('No'), { status: 403 }));
  const refused = await refusal({ customHandler });
  expect(refused.status).toBe(403);
  expect(refused.retryIn).toBeUndefined();
});

type Handler = NonNullable<ChannelAuthorization['customHandler']>;
const later = (callback: (error: null, grant: ChannelGrant) => void) =>
  setTimeout(() => callback(null, { auth: 'key-1:sig' }), 1);

test.each<[string, Handler]>([
  [
    'returns nothing',
    (_, callback) => {
      later(callback);
    },
  ],
  ['is an arrow that returns a timer', (_, callback) => later(callback)],
  ['is an arrow that returns a number', (_, callback) => [].push(later(callback) as never)],
  [
    'is async and calls back after it has returned',
    async (_, callback) => {
      later(callback);
    },
  ],
  ['is async and returns a timer', async (_, callback) => later(callback)],
  ['answers by a promise', async () => ({ auth: 'key-1:sig' })],
  ['answers by a promise, and could call back', async (_, _callback) => ({ auth: 'key-1:sig' })],
])('a handler that %s is heard', async (_, customHandler) => {
  const endpoint = await startEndpoint();
  startClient(endpoint, { channelAuthorization: { customHandler } }).subscribe('private-a');
  expect(await (await endpoint.welcome()).next()).toMatchObject({ data: { auth: 'key-1:sig' } });
});

test('an endpoint that does not answer is given up, and its request ended', async () => {
  const endpoint = await startEndpoint();
  const clock = new ManualClock();
  const signals: AbortSignal[] = [];
  const client = startClient(endpoint, {
    clock,
    requestTimeout: 3_000,
    fetch: (_, { signal }) => {
      if (signal) signals.push(signal);
      return new Promise(() => {});
    },
  });
  const channel = client.subscribe('private-a');
  const connected = nextEvent(client.connection, 'connected');
  clock.advance(0);
  await endpoint.welcome();
  await connected;
  await eventually(() => signals.length).toBe(1);
  const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
  clock.advance(3_000);
  expect(await refused).toMatchObject({ type: 'TimeoutError', status: 0 });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});
