import type { ChannelAuthorization, PresenceChannel, SubscriptionError } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

type Handler = NonNullable<ChannelAuthorization['customHandler']>;
type Request = Parameters<Handler>[0];

/** Signs for everything, with the socket id in the signature. */
const sign: Handler = async ({ socketId, channelName }) => ({ auth: `key-1:${socketId}:${channelName}` });

const subscribe = (channel: string, auth = '', channel_data?: string): object => ({
  event: 'pusher:subscribe',
  data: { auth, ...(channel_data && { channel_data }), channel },
});
const unsubscribe = (channel: string): object => ({ event: 'pusher:unsubscribe', data: { channel } });

/** Nothing else was sent: the answer to a ping is the next frame. */
async function expectSilence(peer: Peer): Promise<void> {
  peer.send('{"event":"pusher:ping","data":"{}"}');
  expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
}

/** Answers when the test says so. */
function heldAuthorization(): {
  customHandler: Handler;
  asked: (Request & { grant(auth?: string): void })[];
} {
  const asked: (Request & { grant(auth?: string): void })[] = [];
  return {
    asked,
    customHandler: (request) =>
      new Promise((resolve) => {
        asked.push({ ...request, grant: (auth = `key-1:${request.socketId}`) => resolve({ auth }) });
      }),
  };
}

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

describe('races', () => {
  test('unsubscribe during the authorization: nothing is sent', async () => {
    const endpoint = await startEndpoint();
    const { asked, customHandler } = heldAuthorization();
    const client = startClient(endpoint, { channelAuthorization: { customHandler } });
    const connected = nextEvent(client.connection, 'connected');
    const peer = await endpoint.welcome();
    await connected;
    client.subscribe('private-a');
    client.unsubscribe('private-a');
    asked[0]?.grant();
    client.subscribe('news');
    expect(await peer.next()).toEqual(subscribe('news'));
  });

  test('unsubscribe before the answer: it is ended when the answer comes', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const channel = client.subscribe('news');
    const events = recorded(channel);
    const peer = await endpoint.welcome();
    await peer.next();
    client.unsubscribe('news');
    peer.confirm('news');
    expect(await peer.next()).toEqual(unsubscribe('news'));
    expect(events).toEqual([]);
  });

  test('subscribing again before that answer waits for it, and gets its own', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    client.subscribe('news');
    const peer = await endpoint.welcome();
    await peer.next();
    client.unsubscribe('news');
    const again = client.subscribe('news');
    peer.confirm('news');
    expect(await peer.next()).toEqual(unsubscribe('news'));
    expect(await peer.next()).toEqual(subscribe('news'));
    expect(again.subscribed).toBe(false);
    const succeeded = nextEvent(again, 'pusher:subscription_succeeded');
    peer.confirm('news');
    await succeeded;
    await expectSilence(peer);
  });

  test('a refused answer that is owed ends nothing', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    client.subscribe('news');
    const peer = await endpoint.welcome();
    await peer.next();
    client.unsubscribe('news');
    client.subscribe('news');
    peer.event('pusher:subscription_error', { type: 'LimitReached', error: 'Full', status: 409 }, 'news');
    expect(await peer.next()).toEqual(subscribe('news'));
  });

  test('an owed answer that never comes delays the next subscribe, and does not prevent it', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock, requestTimeout: 4_000 });
    client.subscribe('news');
    clock.advance(0);
    const peer = await endpoint.welcome();
    await peer.next();
    client.unsubscribe('news');
    client.subscribe('news');
    clock.advance(4_000);
    expect(await peer.next()).toEqual(subscribe('news'));
  });

  test('a grant for the previous socket id is dropped and asked for anew', async () => {
    const endpoint = await startEndpoint();
    const { asked, customHandler } = heldAuthorization();
    const client = startClient(endpoint, { channelAuthorization: { customHandler } });
    client.subscribe('private-a');
    const connected = nextEvent(client.connection, 'connected');
    const first = await endpoint.welcome('1.1');
    await connected;
    const reconnected = nextEvent(client.connection, 'connected');
    first.socket.close(4200);
    const second = await endpoint.welcome('2.2');
    await reconnected;
    expect(asked.map(({ socketId }) => socketId)).toEqual(['1.1', '2.2']);
    asked[0]?.grant();
    asked[1]?.grant();
    expect(await second.next()).toEqual(subscribe('private-a', 'key-1:2.2'));
    await expectSilence(second);
  });

  test('what arrives after unsubscribe is nobody’s', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const channel = client.subscribe('news');
    const peer = await endpoint.welcome();
    await peer.next();
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.confirm('news');
    await succeeded;
    const events = [recorded(channel), recorded(client)];
    client.unsubscribe('news');
    expect(await peer.next()).toEqual(unsubscribe('news'));
    const message = nextEvent(client.connection, 'message');
    peer.event('late', {}, 'news');
    await message;
    expect(events).toEqual([[], []]);
    expect(client.channel('news')).toBeUndefined();
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

describe('events', () => {
  async function subscribed(name: string): Promise<{
    client: ReturnType<typeof startClient>;
    channel: ReturnType<ReturnType<typeof startClient>['subscribe']>;
    peer: Peer;
  }> {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, { channelAuthorization: { customHandler: sign } });
    const channel = client.subscribe(name);
    const peer = await endpoint.welcome();
    await peer.next();
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.confirm(name);
    await succeeded;
    return { client, channel, peer };
  }

  test.each<[string, unknown]>([
    ['{"a":1}', { a: 1 }],
    ['123', 123],
    ['hello', 'hello'],
    ['', ''],
    ['null', null],
    ['{"broken":', '{"broken":'],
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', '9007199254740993'],
    ['-12345678901234567890', '-12345678901234567890'],
    ['"12345678901234567890"', '12345678901234567890'],
  ])('data %s arrives parsed, or as the text it is', async (data, expected) => {
    const { channel, peer } = await subscribed('news');
    const event = nextEvent(channel, 'e');
    peer.send({ event: 'e', channel: 'news', data });
    expect(await event).toEqual(expected);
  });

  test('names of Object.prototype are events and channels like any other', async () => {
    const { channel, peer } = await subscribed('__proto__');
    const event = nextEvent(channel, 'constructor');
    peer.event('constructor', 1, '__proto__');
    expect(await event).toBe(1);
  });

  test('listeners on the client get those of all channels, but none of the protocol’s own', async () => {
    const { client, peer } = await subscribed('cache-news');
    const events = recorded(client);
    const bound = nextEvent(client, 'e');
    peer.event('pusher_internal:subscription_count', { subscription_count: 1 }, 'cache-news');
    peer.event('pusher:cache_miss', {}, 'cache-news');
    peer.event('e', 1, 'cache-news');
    expect(await bound).toBe(1);
    expect(events).toEqual([
      { event: 'pusher:cache_miss', data: {} },
      { event: 'e', data: 1 },
    ]);
  });

  test('bindings can be ended one by one, by name, and all at once', async () => {
    const { channel, peer } = await subscribed('news');
    const heard: string[] = [];
    const a = (): unknown => heard.push('a');
    const b = (): unknown => heard.push('b');
    const c = (): unknown => heard.push('c');
    const global = (name: string): unknown => heard.push(`global ${name}`);
    const marker = async (): Promise<string[]> => {
      const event = nextEvent(channel, 'marker');
      peer.event('e', 1, 'news');
      peer.event('marker', 1, 'news');
      await event;
      return heard.splice(0);
    };
    const undo = channel.bind('e', a).bind('e', a).bind('e', b).on('e', c);
    channel.bind_global(global);
    expect(await marker()).toEqual(['global e', 'a', 'b', 'c', 'global marker']);
    undo();
    channel.unbind('e', a);
    expect(await marker()).toEqual(['global e', 'b', 'global marker']);
    channel.unbind('e').unbind_global(global);
    expect(await marker()).toEqual([]);
    channel.bind('e', a).bind_global(global).unbind_all();
    expect(await marker()).toEqual([]);
  });

  test('a client event leaves on a subscribed private channel', async () => {
    const { channel, peer } = await subscribed('private-a');
    expect(await channel.trigger('client-typing', { on: true })).toEqual({});
    expect(await peer.next()).toEqual({ event: 'client-typing', channel: 'private-a', data: { on: true } });
    for (const value of [null, 0, false, '', [null]]) {
      channel.trigger('client-value', value);
      expect(await peer.next()).toEqual({ event: 'client-value', channel: 'private-a', data: value });
    }
    channel.trigger('client-ping', undefined);
    expect(await peer.next()).toEqual({ event: 'client-ping', channel: 'private-a', data: {} });
  });

  test.each(['hello', '12345678901234567890', '1e5', 'true', 'null', '"quoted"', '{"a":1}'])(
    'the text %s of a client event arrives as a text',
    async (text) => {
      const { channel, peer } = await subscribed('private-a');
      channel.trigger('client-text', text);
      const { data } = (await peer.next()) as { data: string };
      const heard = nextEvent(channel, 'client-text');
      peer.send({ event: 'client-text', channel: 'private-a', data });
      expect(await heard).toBe(text);
    },
  );

  test('a client event does not leave without a subscription', async () => {
    const client = startClient(await startEndpoint());
    await expect(client.subscribe('private-a').trigger('client-typing', {})).rejects.toMatchObject({
      code: 'not_subscribed',
    });
  });

  test('a client event needs its prefix and a channel that carries it', async () => {
    const { client, channel } = await subscribed('private-a');
    // @ts-expect-error the type says it, too
    expect(() => channel.trigger('typing', {})).toThrow('does not start with "client-"');
    expect(() => client.subscribe('news').trigger('client-typing', {})).toThrow('carries no client events');
  });
});

describe('presence', () => {
  const ann = '{"user_id":7,"user_info":{"name":"Ann"}}';

  async function joined(hash: object): Promise<{ channel: PresenceChannel; peer: Peer; end(): void }> {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      channelAuthorization: { customHandler: async () => ({ auth: 'key-1:sig', channel_data: ann }) },
    });
    const channel = client.subscribe('presence-a') as unknown as PresenceChannel;
    const peer = await endpoint.welcome();
    expect(await peer.next()).toEqual(subscribe('presence-a', 'key-1:sig', ann));
    const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
    peer.send({
      event: 'pusher_internal:subscription_succeeded',
      channel: 'presence-a',
      data: `{"presence":{"hash":${hash === odd ? ODD : JSON.stringify(hash)}}}`,
    });
    expect(await succeeded).toBe(channel.members);
    return { channel, peer, end: () => client.disconnect() };
  }

  // As text, for an object literal would set its prototype.
  const ODD = '{"__proto__":{"name":"P"},"constructor":null,"7":{"name":"Ann"}}';
  const odd = {};

  test('members are known: me, count, each, get', async () => {
    const { channel } = await joined({ 7: { name: 'Ann' }, 9: null });
    const { members } = channel;
    expect(members.count).toBe(2);
    expect(members.myID).toBe('7');
    expect(members.me).toEqual({ id: '7', info: { name: 'Ann' } });
    expect(members.get('9')).toEqual({ id: '9', info: null });
    expect(members.get(7)).toEqual({ id: '7', info: { name: 'Ann' } });
    expect(members.get('8')).toBeNull();
    const ids: string[] = [];
    members.each(({ id }) => ids.push(id));
    expect(ids).toEqual(['7', '9']);
  });

  test('differences follow the snapshot', async () => {
    const { channel, peer } = await joined({ 7: { name: 'Ann' } });
    const added = nextEvent(channel, 'pusher:member_added');
    peer.event('pusher_internal:member_added', { user_id: '9', user_info: { name: 'Bob' } }, 'presence-a');
    expect(await added).toEqual({ id: '9', info: { name: 'Bob' } });
    expect(channel.members.count).toBe(2);
    const removed = nextEvent(channel, 'pusher:member_removed');
    peer.event('pusher_internal:member_removed', { user_id: 'nobody' }, 'presence-a');
    peer.event('pusher_internal:member_removed', { user_id: '9' }, 'presence-a');
    expect(await removed).toEqual({ id: '9', info: { name: 'Bob' } });
    expect(channel.members.count).toBe(1);
  });

  test('any user id works, also the names of Object.prototype', async () => {
    const { channel, peer } = await joined(odd);
    expect(channel.members.count).toBe(3);
    expect(channel.members.get('__proto__')).toEqual({ id: '__proto__', info: { name: 'P' } });
    expect(channel.members.get('toString')).toBeNull();
    const removed = nextEvent(channel, 'pusher:member_removed');
    peer.event('pusher_internal:member_removed', { user_id: '__proto__' }, 'presence-a');
    expect(await removed).toEqual({ id: '__proto__', info: { name: 'P' } });
  });

  test('client events say who sent them', async () => {
    const { channel, peer } = await joined({ 7: { name: 'Ann' } });
    const heard = new Promise((resolve) =>
      channel.bind('client-typing', (data, metadata) => resolve([data, metadata])),
    );
    peer.event('client-typing', { on: true }, 'presence-a', { user_id: '9' });
    expect(await heard).toEqual([{ on: true }, { user_id: '9' }]);
  });

  test('without a connection nobody is known', async () => {
    const { channel, end } = await joined({ 7: { name: 'Ann' } });
    end();
    expect(channel.members.count).toBe(0);
    expect(channel.members.me).toBeNull();
  });

  test.each([
    ['none', undefined],
    ['none that is JSON', 'x'],
    ['an object without user_id', '{}'],
  ])('a grant with %s as channel data is an error when nobody signed in', async (_, channel_data) => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint, {
      channelAuthorization: {
        customHandler: async () => ({ auth: 'a', ...(channel_data && { channel_data }) }),
      },
    });
    const refused = nextEvent(client.subscribe('presence-a'), 'pusher:subscription_error');
    await endpoint.welcome();
    expect(await refused).toMatchObject({
      type: 'EndpointError',
      message: expect.stringContaining('user_id'),
    });
  });
});
