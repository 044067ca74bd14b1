/** Grants that end: how the client renews them, and what it tells the app. */
import type {
  Channel,
  CountersignError,
  CountersignOptions,
  SubscriptionError,
} from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import { describe, expect, test } from 'vitest';
import {
  type AuthAnswer,
  type AuthRequest,
  batchAnswer,
  startAuthEndpoint,
} from '../helpers/clients/client-auth-endpoint.ts';
import { eventually, nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

const END = 1_795_000_900;
const SUCCEEDED = 'pusher:subscription_succeeded';
const ERROR = 'pusher:subscription_error';
const RENEWED = 'countersign:grant_renewed';

type Answer = (request: AuthRequest) => AuthAnswer | Promise<AuthAnswer>;

/** A client with the endpoint of its app and the broker's end of its connection. */
async function open(answer: Answer = batchAnswer, options: Partial<CountersignOptions> = {}) {
  const { url, requests } = await startAuthEndpoint(answer);
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, {
    channelAuthorization: { endpoint: url },
    userAuthentication: { endpoint: url },
    ...options,
  });
  const peer = await endpoint.welcome('1.2');
  /** A channel whose subscription the broker confirms. */
  const subscribed = async (name: string, expiresAt: number | null = END): Promise<Channel> => {
    const channel = client.subscribe(name) as Channel;
    expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe', data: { channel: name } });
    const done = nextEvent(channel, SUCCEEDED);
    peer.event(
      'pusher_internal:subscription_succeeded',
      {},
      name,
      expiresAt === null ? {} : { expires_at: expiresAt },
    );
    await done;
    return channel;
  };
  return { client, endpoint, peer, requests, subscribed };
}

const expiring = (peer: Peer, channel: string): void =>
  peer.event('countersign:grant_expiring', { expires_at: END }, channel);
const renewed = (peer: Peer, channel: string, expires_at: number | null = END + 900): void =>
  peer.event(RENEWED, { expires_at }, channel);
const ended = (
  peer: Peer,
  channel: string,
  code = 'grant_expired',
  status = 401,
  more: object = {},
): void => {
  const type = code === 'grant_expired' ? 'GrantExpired' : 'AuthError';
  peer.event(ERROR, { type, status, error: 'Ended', code, ...more }, channel);
};
const nextError = (channel: Channel) => nextEvent<SubscriptionError>(channel, ERROR);

test('the client says that it understands grants that end', async () => {
  const { peer } = await open();
  expect(new URL(peer.url, 'ws://host').searchParams.get('countersign')).toBe('1');
});

test('a channel knows when its grant ends', async () => {
  const { client, peer, subscribed } = await open();
  const channel = await subscribed('private-a');
  expect([channel.expiresAt, channel.status]).toEqual([END, 'subscribed']);
  expect((await subscribed('private-b', null)).expiresAt).toBeUndefined();
  peer.socket.close(4200);
  await nextEvent(client.connection, 'connecting');
  expect([channel.expiresAt, channel.status]).toEqual([undefined, 'pending']);
});

describe('a grant that is about to end', () => {
  test('is renewed with one request for all, and nobody notices', async () => {
    const { peer, requests, subscribed } = await open();
    const channels = await Promise.all([subscribed('private-a'), subscribed('private-c')]);
    const events = channels.map(recorded);
    for (const name of ['private-a', 'private-c']) expiring(peer, name);
    for (const name of ['private-a', 'private-c']) {
      expect(await peer.next()).toEqual({
        event: 'pusher:subscribe',
        data: { auth: 'key-1:sig', channel: name },
      });
      expect(channels.every((channel) => channel.subscribed)).toBe(true);
    }
    expect(requests.at(-1)?.channels).toEqual(['private-a', 'private-c']);
    renewed(peer, 'private-a');
    renewed(peer, 'private-c', null);
    await eventually(() => channels.map(({ expiresAt }) => expiresAt)).toEqual([END + 900, undefined]);
    expect(events).toEqual([
      [{ event: RENEWED, data: { expires_at: END + 900 } }],
      [{ event: RENEWED, data: { expires_at: null } }],
    ]);
  });

  test('delivers while it is renewed', async () => {
    const { peer, subscribed } = await open();
    const channel = await subscribed('private-a');
    expiring(peer, 'private-a');
    await peer.next();
    const heard = nextEvent(channel, 'message');
    peer.event('message', 'Hello', 'private-a');
    expect(await heard).toBe('Hello');
  });

  test('is renewed with new credentials where the endpoint wants them', async () => {
    let token = 'old';
    const { peer, requests, subscribed } = await open(
      ({ headers, channels }) =>
        headers.authorization === `Bearer ${token}`
          ? batchAnswer({ channels } as AuthRequest)
          : { status: 401 },
      { auth: { refresh: async () => token } },
    );
    await subscribed('private-a');
    token = 'new';
    expiring(peer, 'private-a');
    expect(await peer.next()).toMatchObject({ data: { channel: 'private-a' } });
    expect(requests.at(-1)?.headers.authorization).toBe('Bearer new');
  });

  test('is asked for again while the endpoint fails, and the channel stays', async () => {
    let status = 200;
    const { peer, subscribed } = await open(() => ({ status, body: { auth: 'key-1:sig' } }));
    const channel = await subscribed('private-a');
    status = 503;
    const failed = nextError(channel);
    expiring(peer, 'private-a');
    expect(await failed).toMatchObject({ status: 503, renewal: true, retryIn: expect.any(Number) });
    expect([channel.status, channel.expiresAt]).toEqual(['subscribed', END]);
    status = 200;
    expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe' });
    renewed(peer, 'private-a');
    await eventually(() => channel.expiresAt).toBe(END + 900);
  });

  test.each([
    ['the endpoint', 403],
    ['the broker', 200],
  ])('that %s refuses stays until it ends', async (_, status) => {
    let answer = 200;
    const { peer, requests, subscribed } = await open(() => ({
      status: answer,
      body: { auth: 'key-1:sig' },
    }));
    const channel = await subscribed('private-a');
    answer = status;
    const refused = nextError(channel);
    expiring(peer, 'private-a');
    if (status === 200) {
      await peer.next();
      ended(peer, 'private-a', 'grant_user_mismatch', 403, { renewal: true });
    }
    const error = await refused;
    expect(error).toMatchObject({ status: 403, renewal: true });
    expect(error).not.toHaveProperty('retryIn');
    expect(channel.status).toBe('subscribed');
    const asked = requests.length;
    const end = nextError(channel);
    ended(peer, 'private-a');
    expect(await end).toMatchObject({ code: 'grant_expired', retryIn: expect.any(Number) });
    await eventually(() => requests.length).toBe(asked + 1);
  });

  test('of an encrypted channel is renewed, and its key is asked for with it', async () => {
    const secret = (byte: number) => Buffer.alloc(32, byte).toString('base64');
    let byte = 1;
    const { peer, subscribed } = await open(
      () => ({ body: { auth: 'key-1:sig', shared_secret: secret(byte) } }),
      { encryption },
    );
    const channel = await subscribed('private-encrypted-a');
    byte = 2;
    const events = recorded(channel);
    expiring(peer, 'private-encrypted-a');
    await peer.next();
    renewed(peer, 'private-encrypted-a');
    await eventually(() => events).toEqual([{ event: RENEWED, data: { expires_at: END + 900 } }]);
  });

  test('is not renewed once the app has left the channel', async () => {
    const { client, peer, requests, subscribed } = await open();
    await subscribed('private-a');
    await subscribed('private-b');
    expiring(peer, 'private-a');
    expiring(peer, 'private-b');
    await eventually(() => requests.length).toBe(2);
    client.unsubscribe('private-a');
    expect(await peer.next()).toMatchObject({ event: 'pusher:unsubscribe' });
    expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe', data: { channel: 'private-b' } });
    expect(requests.at(-1)?.channels).toEqual(['private-b']);
  });
});

describe('a grant that has ended', () => {
  test('in time is asked for again, and says so', async () => {
    const { peer, subscribed } = await open();
    const channel = await subscribed('private-a');
    const error = nextError(channel);
    ended(peer, 'private-a');
    expect(await error).toEqual({
      type: 'GrantExpired',
      status: 401,
      error: 'Ended',
      message: 'Ended',
      code: 'grant_expired',
      docs: 'docs/errors.md#grant_expired',
      retryIn: expect.any(Number),
    });
    expect([channel.subscribed, channel.status, channel.expiresAt]).toEqual([false, 'expired', undefined]);
    expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe' });
    expect(channel.status).toBe('expired');
    peer.confirm('private-a');
    await eventually(() => channel.status).toBe('subscribed');
  });

  test('is refused for good by the endpoint that says so', async () => {
    let status = 200;
    const { client, peer, subscribed } = await open(() => ({ status, body: { auth: 'key-1:sig' } }));
    const channel = await subscribed('private-a');
    const errors = recorded(channel);
    status = 403;
    ended(peer, 'private-a');
    await eventually(() => channel.status).toBe('refused');
    expect(errors.map(({ data }) => (data as SubscriptionError).type)).toEqual([
      'GrantExpired',
      'EndpointError',
    ]);
    status = 200;
    client.subscribe('private-a');
    expect(channel.status).toBe('pending');
    expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe' });
  });

  test.each(['grant_revoked', 'grant_refused'])(
    'by %s stays ended until the app subscribes again',
    async (code) => {
      const { client, peer, requests, subscribed } = await open();
      const channel = await subscribed('private-a');
      const error = nextError(channel);
      ended(peer, 'private-a', code, 403);
      expect(await error).toEqual(expect.not.objectContaining({ retryIn: expect.anything() }));
      expect([channel.status, requests.length]).toEqual(['refused', 1]);
      expect(client.subscribe('private-a')).toBe(channel);
      expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe' });
      expect(requests.length).toBe(2);
    },
  );
});

test('a grant from the second of a revocation is asked for once more', async () => {
  const { client, peer } = await open();
  const channel = client.subscribe('private-a') as Channel;
  await peer.next();
  const first = nextError(channel);
  ended(peer, 'private-a', 'grant_revoked', 403);
  expect((await first).retryIn).toBeGreaterThanOrEqual(1_000);
  await peer.next();
  const second = nextError(channel);
  ended(peer, 'private-a', 'grant_revoked', 403);
  expect(await second).not.toHaveProperty('retryIn');
});

test('a sign-in from the second of a revocation is asked for once more', async () => {
  const { client, peer } = await open(() => ({
    body: { auth: 'key-1:sig', user_data: '{"id":"ann"}' },
  }));
  const refuse = () =>
    peer.event('pusher:error', { code: 4009, message: 'Signed out', error_code: 'grant_revoked' });
  const errors = recorded(client.user);
  const signedIn = client.signin();
  await peer.next();
  refuse();
  expect(await peer.next()).toMatchObject({ event: 'pusher:signin' });
  refuse();
  await expect(signedIn).rejects.toMatchObject({ code: 'signin_refused', reason: 'grant_revoked' });
  expect(errors.map(({ data }) => (data as CountersignError).retryAfter)).toEqual([1_000, undefined]);
});

test('channel data with claims alone leaves the member to the sign-in', async () => {
  const { client, peer } = await open(({ channels }) => ({
    body: channels.length
      ? { auth: 'key-1:sig', channel_data: '{"countersign":{"id":"g","exp":1795000900}}' }
      : { auth: 'key-1:sig', user_data: '{"id":"ann"}' },
  }));
  const signedIn = client.signin();
  await peer.next();
  peer.event('pusher:signin_success', { user_data: '{"id":"ann"}' });
  await signedIn;
  await peer.next();
  const lobby = client.subscribe('presence-lobby');
  expect(await peer.next()).toMatchObject({ data: { channel: 'presence-lobby' } });
  expect((lobby as unknown as { members: { myID: string } }).members.myID).toBe('ann');
});

describe('a sign-in that is about to end', () => {
  const user = (name: string) =>
    JSON.stringify({ id: 'ann', user_info: { name }, countersign: { id: 'g', iat: 1, exp: 2 } });

  async function signedIn() {
    const endpoint = { status: 200 };
    const opened = await open(() => ({ ...endpoint, body: { auth: 'key-1:sig', user_data: user('Ann') } }));
    const { client, peer } = opened;
    const done = client.signin();
    expect(await peer.next()).toMatchObject({ event: 'pusher:signin' });
    peer.event('pusher:signin_success', { user_data: user('Ann') });
    expect(await done).toEqual({ id: 'ann', user_info: { name: 'Ann' } });
    expect(await peer.next()).toMatchObject({ event: 'pusher:subscribe' });
    return { ...opened, app: endpoint };
  }

  test('is renewed, and nobody notices', async () => {
    const { client, peer } = await signedIn();
    const events = recorded(client.user);
    peer.event('countersign:authentication_expiring', { expires_at: END });
    expect(await peer.next()).toEqual({
      event: 'pusher:signin',
      data: { auth: 'key-1:sig', user_data: user('Ann') },
    });
    peer.event('pusher:signin_success', { user_data: user('Anna') });
    await eventually(() => client.user.user_data).toEqual({ id: 'ann', user_info: { name: 'Anna' } });
    expect(events).toEqual([]);
  });

  test('is asked for again while the endpoint fails', async () => {
    const { client, peer, app } = await signedIn();
    app.status = 503;
    const failed = nextEvent(client.user, 'pusher:signin_error');
    peer.event('countersign:authentication_expiring', { expires_at: END });
    expect(await failed).toMatchObject({ code: 'auth_failed', status: 503, retryAfter: 0 });
    expect(client.user.user_data?.id).toBe('ann');
    app.status = 200;
    expect(await peer.next()).toMatchObject({ event: 'pusher:signin' });
  });
});

test('a close after which the client returns is not the end', async () => {
  const { client, endpoint, peer } = await open();
  const events: unknown[] = [];
  client.bind('terminated', (data) => events.push(data));
  peer.event('countersign:terminated', { reason: 'The broker restarts', code: 'draining' });
  peer.socket.close(4200);
  const second = await endpoint.welcome('3.4');
  await nextEvent(client.connection, 'connected');
  expect(events).toEqual([]);
  const last = nextEvent(client, 'terminated');
  second.event('countersign:terminated', { reason: 'Signed out', code: 'terminated' });
  second.socket.close(4009);
  expect(await last).toEqual({ reason: 'Signed out', code: 'terminated' });
});
