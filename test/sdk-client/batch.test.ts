import type { ChannelAuthorization, Countersign, SubscriptionError } from '@countersign/sdk-client';
import { expect, test } from 'vitest';
import {
  type AuthAnswer,
  type AuthRequest,
  batchAnswer,
  startAuthEndpoint,
} from '../helpers/clients/client-auth-endpoint.ts';
import { eventually, nextEvent, startClient } from '../helpers/clients/client-start.ts';
import { type FakeEndpoint, type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

const GRANT = { auth: 'key-1:sig' };
const NAMES = Array.from({ length: 40 }, (_, index) => `private-${index}`);

interface Page {
  readonly client: Countersign;
  readonly requests: readonly AuthRequest[];
  readonly endpoint: FakeEndpoint;
}

/** A client that is not connected yet, and whose app answers so. */
async function open(
  answer: (request: AuthRequest) => AuthAnswer | Promise<AuthAnswer>,
  options: ChannelAuthorization = {},
): Promise<Page> {
  const { url, requests } = await startAuthEndpoint(answer);
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, { channelAuthorization: { endpoint: url, ...options } });
  return { client, requests, endpoint };
}

/** The channels that the client subscribes to, in its order. */
async function subscriptions(peer: Peer, count: number): Promise<string[]> {
  const names: string[] = [];
  while (names.length < count) {
    const frame = (await peer.next()) as { event: string; data: { channel: string } };
    expect(frame.event).toBe('pusher:subscribe');
    names.push(frame.data.channel);
  }
  return names;
}

/** An endpoint of the ordinary kind: it reads one name, and does not know of several. */
const ordinary =
  (status: number, body: unknown) =>
  (request: AuthRequest): AuthAnswer =>
    request.body.includes('%5B0%5D') ? { status, body } : { body: GRANT };

test('40 channels ask in one request, and in one again after a reconnect', async () => {
  const { client, requests, endpoint } = await open(batchAnswer);
  for (const name of NAMES) client.subscribe(name);
  const peer = await endpoint.welcome('1.2');
  expect(await subscriptions(peer, 40)).toEqual(NAMES);
  expect(requests.length).toBe(1);
  expect(decodeURIComponent(requests[0]?.body ?? '')).toMatch(
    /^socket_id=1\.2&channel_name\[0\]=private-0&channel_name\[1\]=private-1&.*channel_name\[39\]=private-39$/,
  );
  peer.socket.close(4200);
  const second = await endpoint.welcome('3.4');
  expect(await subscriptions(second, 40)).toEqual(NAMES);
  expect(requests.map(({ channels }) => channels.length)).toEqual([40, 40]);
});

test('channels of all kinds that need a grant go together; params and headers go along', async () => {
  const { client, requests, endpoint } = await open(
    ({ channels }) => ({
      body: Object.fromEntries(
        channels.map((name) => [
          name,
          {
            status: 200,
            data: { ...GRANT, ...(name.startsWith('presence-') && { channel_data: '{"user_id":"7"}' }) },
          },
        ]),
      ),
    }),
    { params: { tenant: 't' }, headers: { 'x-a': 'b' } },
  );
  for (const name of ['news', 'presence-a', 'private-a']) client.subscribe(name);
  const peer = await endpoint.welcome();
  expect((await subscriptions(peer, 3)).sort()).toEqual(['news', 'presence-a', 'private-a']);
  expect(requests).toMatchObject([
    {
      channels: ['presence-a', 'private-a'],
      headers: { 'x-a': 'b' },
      body: expect.stringMatching(/&tenant=t$/),
    },
  ]);
});

test('one channel alone asks in the ordinary way', async () => {
  const { client, requests, endpoint } = await open(batchAnswer);
  client.subscribe('private-a');
  await subscriptions(await endpoint.welcome('1.2'), 1);
  expect(requests.map(({ body }) => body)).toEqual(['socket_id=1.2&channel_name=private-a']);
});

test('a request has at most 200 channels', async () => {
  const { client, requests, endpoint } = await open(batchAnswer);
  for (let index = 0; index < 401; index++) client.subscribe(`private-${index}`);
  await subscriptions(await endpoint.welcome(), 401);
  expect(requests.map(({ channels }) => channels.length).sort((a, b) => a - b)).toEqual([1, 200, 200]);
});

test('what fails, fails by channel', async () => {
  const { client, requests, endpoint } = await open((request) =>
    batchAnswer(request, { 'private-1': { status: 403 }, 'private-2': { status: 200, data: { auth: 7 } } }),
  );
  const refusals = ['private-1', 'private-2'].map((name) =>
    nextEvent<SubscriptionError>(client.subscribe(name), 'pusher:subscription_error'),
  );
  client.subscribe('private-0');
  const peer = await endpoint.welcome();
  expect(await subscriptions(peer, 1)).toEqual(['private-0']);
  expect(await Promise.all(refusals)).toMatchObject([
    { type: 'EndpointError', status: 403 },
    { type: 'EndpointError', status: 200, message: expect.stringContaining('"auth" as a string') },
  ]);
  expect(requests.length).toBe(1);
});

test('a channel that the answer leaves open asks by itself', async () => {
  const { client, requests, endpoint } = await open((request) =>
    batchAnswer(request, { 'private-1': { status: 500 } }),
  );
  for (const name of ['private-0', 'private-1', 'private-2']) client.subscribe(name);
  await subscriptions(await endpoint.welcome(), 3);
  expect(requests.map(({ channels }) => channels)).toEqual([
    ['private-0', 'private-1', 'private-2'],
    ['private-1'],
  ]);
});

test.each<[string, number, unknown]>([
  ['400', 400, 'Bad request'],
  ['403', 403, ''],
  ['422', 422, { message: 'channel_name is required' }],
  ['a grant for one channel', 200, GRANT],
  ['no JSON', 200, 'ok'],
  ['an empty object', 200, {}],
  ['an array', 200, []],
])(
  'an endpoint that answers a batch with %s is asked for each channel, now and later',
  async (_, status, body) => {
    const { client, requests, endpoint } = await open(ordinary(status, body));
    for (const name of NAMES) client.subscribe(name);
    const peer = await endpoint.welcome();
    await subscriptions(peer, 40);
    expect(requests.length).toBe(41);
    peer.socket.close(4200);
    await subscriptions(await endpoint.welcome(), 40);
    expect(requests.length).toBe(81);
  },
);

test('what has answered several well, and then fails, is asked for several again once it is back', async () => {
  let isAway = false;
  const { client, requests, endpoint } = await open((request) =>
    isAway ? { status: 500 } : batchAnswer(request),
  );
  const channels = ['private-0', 'private-1'].map((name) => client.subscribe(name));
  const peer = await endpoint.welcome();
  await subscriptions(peer, 2);
  isAway = true;
  const told = channels.map((channel) => nextEvent(channel, 'pusher:subscription_error'));
  peer.socket.close(4200);
  const second = await endpoint.welcome();
  await Promise.all(told);
  isAway = false;
  await subscriptions(second, 2);
  expect(requests.map(({ channels }) => channels.length)).toEqual([2, 2, 1, 2]);
});

test('an endpoint that fails at several, and grants each, is never asked for several again', async () => {
  const { client, requests, endpoint } = await open(ordinary(500, ''));
  for (const name of ['private-0', 'private-1']) client.subscribe(name);
  for (let connection = 1; connection <= 3; connection++) {
    const peer = await endpoint.welcome();
    await subscriptions(peer, 2);
    peer.socket.close(4200);
  }
  expect(requests.map(({ channels }) => channels.length)).toEqual([2, 1, 1, 1, 1, 1, 1]);
});

test.each([400, 404, 405, 410, 415, 419, 422])(
  'an endpoint that always answers %i is asked once for all, and once for each',
  async (status) => {
    const { client, requests, endpoint } = await open(() => ({ status }));
    const told = NAMES.map((name) => nextEvent(client.subscribe(name), 'pusher:subscription_error'));
    await endpoint.welcome();
    for (const error of await Promise.all(told)) {
      expect(error).toMatchObject({ status });
      expect(error).not.toHaveProperty('retryIn');
    }
    expect(requests.length).toBe(41);
  },
);

test('entries with another status of success are grants', async () => {
  const { client, requests, endpoint } = await open((request) =>
    batchAnswer(request, { 'private-1': { status: 201, data: GRANT } }),
  );
  for (const name of ['private-0', 'private-1']) client.subscribe(name);
  await subscriptions(await endpoint.welcome(), 2);
  expect(requests.length).toBe(1);
});

test('an endpoint that has no time is asked again, for all, after one by itself has found it so, too', async () => {
  let answers = 0;
  const { client, requests, endpoint } = await open((request) =>
    ++answers < 5 ? { status: 503 } : batchAnswer(request),
  );
  for (const name of NAMES) client.subscribe(name);
  await subscriptions(await endpoint.welcome(), 40);
  expect(requests.map(({ channels }) => channels.length)).toEqual([40, 1, 40, 1, 40]);
});

test('batch: false asks for each channel', async () => {
  const { client, requests, endpoint } = await open(batchAnswer, { batch: false });
  for (const name of NAMES) client.subscribe(name);
  await subscriptions(await endpoint.welcome(), 40);
  expect(requests.length).toBe(40);
});

test('a channel that is left meanwhile does not hold the others', async () => {
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { client, requests, endpoint } = await open(async (request) => {
    await held;
    return batchAnswer(request);
  });
  const names = ['private-0', 'private-1', 'private-2'];
  for (const name of names) client.subscribe(name);
  const peer = await endpoint.welcome();
  await eventually(() => requests.length).toBe(1);
  client.unsubscribe('private-0');
  answer();
  expect(await subscriptions(peer, 2)).toEqual(['private-1', 'private-2']);
});

test('the request ends when nobody waits for it any more', async () => {
  const signals: AbortSignal[] = [];
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, {
    fetch: (_, { signal }) => {
      if (signal) signals.push(signal);
      return new Promise(() => {});
    },
  });
  for (const name of ['private-0', 'private-1']) client.subscribe(name);
  await endpoint.welcome();
  await eventually(() => signals.length).toBe(1);
  client.unsubscribe('private-0');
  expect(signals[0]?.aborted).toBe(false);
  client.unsubscribe('private-1');
  expect(signals[0]?.aborted).toBe(true);
});

/** Never answers a request for several channels; grants a single one. */
const hangingOnBatches = (request: AuthRequest): AuthAnswer | Promise<AuthAnswer> =>
  request.channels.length > 1 ? new Promise(() => {}) : { body: GRANT };

test('an endpoint that hangs on a batch is asked for one channel, and then for each', async () => {
  const { url, requests } = await startAuthEndpoint(hangingOnBatches);
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, { channelAuthorization: { endpoint: url }, requestTimeout: 1_000 });
  const failures: unknown[] = [];
  for (const name of NAMES.slice(0, 3))
    client.subscribe(name).bind('pusher:subscription_error', (error) => failures.push(error));
  const peer = await endpoint.welcome();
  expect((await subscriptions(peer, 3)).sort()).toEqual(NAMES.slice(0, 3));
  peer.socket.close(4200);
  await subscriptions(await endpoint.welcome(), 3);
  expect(requests.map(({ channels }) => channels.length)).toEqual([3, 1, 1, 1, 1, 1, 1]);
  expect(failures).toEqual([]);
});

test('a connection that is lost while a batch is in progress does not end batches', async () => {
  let isHanging = true;
  const { client, requests, endpoint } = await open((request) =>
    isHanging ? new Promise(() => {}) : batchAnswer(request),
  );
  for (const name of ['private-0', 'private-1']) client.subscribe(name);
  const peer = await endpoint.welcome();
  await eventually(() => requests.length).toBe(1);
  isHanging = false;
  peer.socket.close(4200);
  await subscriptions(await endpoint.welcome(), 2);
  client.subscribe('private-2');
  await eventually(() => requests.length).toBe(3);
  for (const name of ['private-3', 'private-4']) client.subscribe(name);
  await eventually(() => requests.length).toBe(4);
  expect(requests.map(({ channels }) => channels.length)).toEqual([2, 2, 1, 2]);
});
