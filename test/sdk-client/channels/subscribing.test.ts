import type { PresenceChannel, SubscriptionError } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import { expectSilence, sign, subscribe } from '../../helpers/clients/channel-frames.ts';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';

describe('subscribing', () => {
  test('before the connection, it waits for it', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const channel = client.subscribe('news');
    expect(channel.subscribed).toBe(false);
    const peer = await endpoint.welcome();
    expect(await peer.next()).toEqual(subscribe('news'));
    expect(channel.subscriptionPending).toBe(true);
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.confirm('news');
    expect(await succeeded).toEqual({});
    expect(channel.subscribed).toBe(true);
    expect(channel.subscriptionPending).toBe(false);
    expect(client.channel('news')).toBe(channel);
    expect(client.subscribe('news')).toBe(channel);
    expect(client.allChannels()).toEqual([channel]);
    await expectSilence(peer);
  });

  test('private channels carry the grant of the app, and nothing else of it', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      channelAuthorization: {
        customHandler: (_, callback) => {
          callback(null, { auth: 'key-1:sig', channel_data: '{"a":1}', shared_secret: 'x' });
          return undefined;
        },
      },
    });
    client.subscribe('private-a');
    const peer = await endpoint.welcome();
    expect(await peer.next()).toEqual(subscribe('private-a', 'key-1:sig', '{"a":1}'));
  });

  test.each(['private', 'presence', 'my-private-x', 'cache-private-x'])(
    '%s is a public channel',
    async (name) => {
      const endpoint = await startEndpoint();
      startClient(endpoint).subscribe(name);
      const peer = await endpoint.welcome();
      expect(await peer.next()).toEqual(subscribe(name));
    },
  );

  test.each(['', '#server-to-user-1'])('"%s" is refused at once', async (name) => {
    const client = startClient(await startEndpoint());
    expect(() => client.subscribe(name)).toThrow('is not a channel name');
    expect(client.channel(name)).toBeUndefined();
  });

  test('a refusal by the broker carries type, status and message, and asking again works', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { channelAuthorization: { customHandler: sign } });
    const channel = client.subscribe('private-a');
    const peer = await endpoint.welcome('1.2');
    await peer.next();
    const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
    peer.event(
      'pusher:subscription_error',
      { type: 'AuthError', error: 'Invalid signature', status: 401 },
      'private-a',
    );
    expect(await refused).toEqual({
      type: 'AuthError',
      status: 401,
      error: 'Invalid signature',
      message: 'Invalid signature',
      docs: 'docs/errors.md#autherror-401',
    });
    expect(channel.subscriptionPending).toBe(false);
    expect(client.subscribe('private-a')).toBe(channel);
    expect(await peer.next()).toEqual(subscribe('private-a', 'key-1:1.2:private-a'));
  });

  test('a refusal without an explanation still has every field', async () => {
    const endpoint = await startEndpoint();
    const channel = startClient(endpoint).subscribe('news');
    const peer = await endpoint.welcome();
    await peer.next();
    const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
    peer.event('pusher:subscription_error', {}, 'news');
    expect(await refused).toMatchObject({
      type: 'ServerError',
      status: 0,
      message: 'Refused',
      retryIn: expect.any(Number),
    });
  });

  test('a subscription that the broker ends is over, and the connection is not', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const channel = client.subscribe('news');
    const peer = await endpoint.welcome();
    await peer.next();
    peer.confirm('news');
    const ended = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
    peer.event('pusher:subscription_error', { type: 'AuthError', error: 'Removed', status: 403 }, 'news');
    expect((await ended).status).toBe(403);
    expect(channel.subscribed).toBe(false);
    expect(client.connection.state).toBe('connected');
  });

  test('a presence channel that the app ended is empty, receives nothing more, and can be subscribed again', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      channelAuthorization: { customHandler: async () => ({ auth: 'a', channel_data: '{"user_id":"7"}' }) },
    });
    const channel = client.subscribe('presence-a');
    const peer = await endpoint.welcome();
    const asked = await peer.next();
    peer.confirm('presence-a', { presence: { count: 1, ids: ['7'], hash: { 7: null } } });
    await nextEvent(channel, 'pusher:subscription_succeeded');
    const events = recorded(channel);
    const refusal = { type: 'AuthError', error: 'Banned', status: 403 };
    peer.event('pusher:subscription_error', refusal, 'presence-a');
    peer.event('late', {}, 'presence-a');
    peer.event('pusher_internal:member_added', { user_id: '8' }, 'presence-a');
    peer.event('marker', {});
    await nextEvent(client, 'marker');
    expect(events).toMatchObject([
      { event: 'pusher:subscription_error', data: { ...refusal, message: 'Banned' } },
    ]);
    expect(channel).toMatchObject({ subscribed: false, subscriptionPending: false });
    expect((channel as unknown as PresenceChannel).members).toMatchObject({ count: 0, me: null });
    expect(client.subscribe('presence-a')).toBe(channel);
    expect(await peer.next()).toEqual(asked);
  });

  test('no answer within requestTimeout is an error, and a late answer heals it', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock, requestTimeout: 4_000 });
    const channel = client.subscribe('news');
    clock.advance(0);
    const peer = await endpoint.welcome();
    await peer.next();
    const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
    clock.advance(4_000);
    expect((await refused).type).toBe('TimeoutError');
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.confirm('news');
    await succeeded;
    expect(channel.subscribed).toBe(true);
  });

  test('reports a failure of the broker, and asks for the channel again until it is subscribed', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { channelAuthorization: { customHandler: sign } });
    const channel = client.subscribe('private-a');
    const peer = await endpoint.welcome('1.2');
    for (let tries = 0; tries < 5; tries++) {
      expect(await peer.next()).toEqual(subscribe('private-a', 'key-1:1.2:private-a'));
      const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
      peer.event(
        'pusher:subscription_error',
        { type: 'ServerError', error: 'Later', status: 500 },
        'private-a',
      );
      expect(await refused).toMatchObject({ type: 'ServerError', retryIn: expect.any(Number) });
    }
    await peer.next();
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.confirm('private-a');
    await succeeded;
    await expectSilence(peer);
  });

  test('a channel that is left while it waits to be asked for again is not', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock });
    const channel = client.subscribe('news');
    clock.advance(0);
    const peer = await endpoint.welcome();
    await peer.next();
    const refused = nextEvent<SubscriptionError>(channel, 'pusher:subscription_error');
    peer.event('pusher:subscription_error', { type: 'ServerError', error: 'Later', status: 500 }, 'news');
    const { retryIn } = await refused;
    client.unsubscribe('news');
    clock.advance(retryIn ?? 0);
    await expectSilence(peer);
  });

  test('the subscription count is kept and emitted', async () => {
    const endpoint = await startEndpoint();
    const channel = startClient(endpoint).subscribe('news');
    const peer = await endpoint.welcome();
    await peer.next();
    peer.confirm('news');
    const count = nextEvent(channel, 'pusher:subscription_count');
    peer.event('pusher_internal:subscription_count', { subscription_count: 12 }, 'news');
    expect(await count).toEqual({ subscription_count: 12 });
    expect(channel.subscriptionCount).toBe(12);
  });
});

describe('after a reconnect', () => {
  test('every channel that is wanted is authorized and subscribed again, no other', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { channelAuthorization: { customHandler: sign } });
    const news = client.subscribe('news');
    client.subscribe('private-a');
    client.subscribe('gone');
    const first = await endpoint.welcome('1.1');
    for (let i = 0; i < 3; i++) await first.next();
    const succeeded = nextEvent(news, 'pusher:subscription_succeeded');
    first.confirm('gone');
    first.confirm('news');
    await succeeded;
    client.unsubscribe('gone');
    first.socket.close(4200);
    const second = await endpoint.welcome('2.2');
    const frames = [await second.next(), await second.next()];
    expect(frames).toEqual([subscribe('news'), subscribe('private-a', 'key-1:2.2:private-a')]);
    expect(news.subscribed).toBe(false);
    await expectSilence(second);
  });

  test('listeners stay bound', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const channel = client.subscribe('news');
    (await endpoint.welcome()).socket.close(4200);
    const peer = await endpoint.welcome();
    await peer.next();
    peer.confirm('news');
    const event = nextEvent(channel, 'headline');
    peer.event('headline', { title: 'x' }, 'news');
    expect(await event).toEqual({ title: 'x' });
  });
});
