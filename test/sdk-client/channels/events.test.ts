import { describe, expect, test } from 'vitest';
import { sign } from '../../helpers/clients/channel-frames.ts';
import { nextEvent, recorded, startClient } from '../../helpers/clients/client-start.ts';
import { type Peer, startEndpoint } from '../../helpers/clients/fake-endpoint.ts';

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
