import type { Countersign, CountersignError, UserAuthentication } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { type FakeEndpoint, type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

const USER_DATA = '{"id":"7","user_info":{"name":"Ann"}}';
const signinFrame = (auth: string): object => ({
  event: 'pusher:signin',
  data: { auth, user_data: USER_DATA },
});
const userChannelFrame = { event: 'pusher:subscribe', data: { auth: '', channel: '#server-to-user-7' } };

const userAuthentication: UserAuthentication = {
  customHandler: async ({ socketId }) => ({ auth: `key-1:${socketId}`, user_data: USER_DATA }),
};

async function signedIn(): Promise<{ endpoint: FakeEndpoint; client: Countersign; peer: Peer }> {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, { userAuthentication });
  const user = client.signin();
  const peer = await endpoint.welcome('1.2');
  expect(await peer.next()).toEqual(signinFrame('key-1:1.2'));
  peer.event('pusher:signin_success', { user_data: USER_DATA });
  expect(await user).toEqual({ id: '7', user_info: { name: 'Ann' } });
  expect(await peer.next()).toEqual(userChannelFrame);
  return { endpoint, client, peer };
}

describe('sign-in', () => {
  test('waits for the connection and resolves when the broker confirms', async () => {
    const { client } = await signedIn();
    expect(client.user.user_data?.id).toBe('7');
    expect(await client.signin()).toBe(client.user.user_data);
  });

  test('calls share one sign-in', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { userAuthentication });
    expect(client.signin()).toBe(client.signin());
    const peer = await endpoint.welcome('1.2');
    await peer.next();
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
  });

  test('is repeated on the next connection, before presence channels need it', async () => {
    const { endpoint, client, peer } = await signedIn();
    const again = nextEvent(client.user, 'pusher:signin_success');
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.close(4200);
    await lost;
    expect(client.user.user_data).toBeUndefined();
    const second = await endpoint.welcome('3.4');
    expect(await second.next()).toEqual(signinFrame('key-1:3.4'));
    second.event('pusher:signin_success', { user_data: USER_DATA });
    expect(await again).toEqual(client.user.user_data);
  });

  test('an authentication for the previous socket id is dropped', async () => {
    const endpoint = await startEndpoint();
    const grants: ((user: { auth: string; user_data: string }) => void)[] = [];
    const client = startClient(endpoint, {
      userAuthentication: { customHandler: () => new Promise((resolve) => grants.push(resolve)) },
    });
    const user = client.signin();
    const connected = nextEvent(client.connection, 'connected');
    const first = await endpoint.welcome('1.1');
    await connected;
    const reconnected = nextEvent(client.connection, 'connected');
    first.socket.close(4200);
    const second = await endpoint.welcome('2.2');
    await reconnected;
    grants[0]?.({ auth: 'old', user_data: USER_DATA });
    grants[1]?.({ auth: 'new', user_data: USER_DATA });
    expect(await second.next()).toEqual(signinFrame('new'));
    second.event('pusher:signin_success', { user_data: USER_DATA });
    expect((await user).id).toBe('7');
  });

  test('a refusal by the endpoint rejects with its status, and is not repeated by itself', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { fetch: async () => ({ status: 403, text: async () => '' }) });
    const told = nextEvent(client.user, 'pusher:signin_error');
    const error: CountersignError = await Promise.all([client.signin(), endpoint.welcome()]).catch((e) => e);
    expect(error).toMatchObject({ name: 'CountersignError', code: 'auth_failed', status: 403 });
    expect(await told).toBe(error);
    expect(client.connection.state).toBe('connected');
  });

  test('a refusal by the broker rejects, and the connection stays', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { userAuthentication });
    const user = client.signin();
    const peer = await endpoint.welcome();
    await peer.next();
    peer.send('{"event":"pusher:error","data":{"code":4009,"message":"Invalid signature"}}');
    await expect(user).rejects.toMatchObject({ code: 'signin_refused', message: 'Invalid signature' });
    expect(client.connection.state).toBe('connected');
  });

  test('no answer within requestTimeout rejects', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock, userAuthentication, requestTimeout: 2_000 });
    const user = client.signin();
    clock.advance(0);
    await (await endpoint.welcome()).next();
    clock.advance(2_000);
    await expect(user).rejects.toMatchObject({ code: 'timeout' });
  });

  test('disconnect rejects', async () => {
    const client = startClient(await startEndpoint(), { userAuthentication });
    const user = client.signin();
    client.disconnect();
    await expect(user).rejects.toMatchObject({ code: 'disconnected' });
  });

  test('a confirmation without a user rejects', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { userAuthentication });
    const user = client.signin();
    const peer = await endpoint.welcome();
    await peer.next();
    peer.event('pusher:signin_success', { user_data: '{"id":7}' });
    await expect(user).rejects.toMatchObject({ code: 'signin_refused' });
  });
});

describe('a signed-in user', () => {
  test('receives events that the backend sends to the user, and none of the protocol', async () => {
    const { client, peer } = await signedIn();
    const events = recorded(client.user);
    const notice = nextEvent(client.user, 'notice');
    peer.confirm('#server-to-user-7');
    peer.event('elsewhere', {}, '#server-to-user-8');
    peer.event('notice', { text: 'hello' }, '#server-to-user-7');
    expect(await notice).toEqual({ text: 'hello' });
    expect(events).toEqual([{ event: 'notice', data: { text: 'hello' } }]);
    // The confirmation of the user's own channel was not answered with an unsubscribe.
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
  });

  test('receives the comings and goings of the watchlist', async () => {
    const { client, peer } = await signedIn();
    const online = nextEvent(client.user.watchlist, 'online');
    const offline = nextEvent(client.user.watchlist, 'offline');
    peer.event('pusher_internal:watchlist_events', {
      events: [
        { name: 'online', user_ids: ['amy'] },
        { name: 'offline', user_ids: ['bob'] },
      ],
    });
    expect(await online).toEqual({ name: 'online', user_ids: ['amy'] });
    expect(await offline).toEqual({ name: 'offline', user_ids: ['bob'] });
  });

  test('joins presence channels without channel data, once the sign-in in progress is over', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      userAuthentication,
      channelAuthorization: { customHandler: async () => ({ auth: 'key-1:sig' }) },
    });
    void client.signin();
    const channel = client.subscribe('presence-a');
    const peer = await endpoint.welcome('1.2');
    expect(await peer.next()).toEqual(signinFrame('key-1:1.2'));
    peer.event('pusher:signin_success', { user_data: USER_DATA });
    expect(await peer.next()).toEqual(userChannelFrame);
    expect(await peer.next()).toEqual({
      event: 'pusher:subscribe',
      data: { auth: 'key-1:sig', channel: 'presence-a' },
    });
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.confirm('presence-a', { presence: { count: 1, ids: ['7'], hash: { 7: { name: 'Ann' } } } });
    expect(await succeeded).toMatchObject({ me: { id: '7', info: { name: 'Ann' } } });
  });
});

describe('what the app does to a user', () => {
  test('reports terminated connections with the reason, and does not reconnect', async () => {
    const { client, peer } = await signedIn();
    const terminated = nextEvent(client, 'terminated');
    const disconnected = nextEvent(client.connection, 'disconnected');
    peer.event('countersign:terminated', { reason: 'Signed out everywhere' });
    peer.socket.close(4009, 'Signed out everywhere');
    expect(await terminated).toEqual({ reason: 'Signed out everywhere' });
    await disconnected;
    expect(client.user.user_data).toBeUndefined();
  });

  test('signs in again when the app connects again', async () => {
    const { client, peer, endpoint } = await signedIn();
    const disconnected = nextEvent(client.connection, 'disconnected');
    peer.socket.close(4009, 'Bye');
    await disconnected;
    client.connect();
    expect(await (await endpoint.welcome('3.4')).next()).toEqual(signinFrame('key-1:3.4'));
  });

  test('reports a watchlist that is too long, and signs the user in', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { userAuthentication });
    const user = client.signin();
    const peer = await endpoint.welcome('1.2');
    await peer.next();
    const error = nextEvent(client.connection, 'error');
    peer.send('{"event":"pusher:error","data":{"code":4302,"message":"Only the first 100 are watched"}}');
    peer.event('pusher:signin_success', { user_data: USER_DATA });
    expect(await error).toMatchObject({
      type: 'PusherError',
      data: { code: 4302, message: 'Only the first 100 are watched' },
    });
    expect((await user).id).toBe('7');
    expect(client.connection.state).toBe('connected');
  });
});
