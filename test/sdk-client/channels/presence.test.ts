import type { PresenceChannel } from '@countersign/sdk-client';
import { describe, expect, test } from 'vitest';
import { subscribe } from '../../helpers/clients/channel-frames.ts';
import { nextEvent, startClient } from '../../helpers/clients/client-start.ts';
import { type Peer, startEndpoint } from '../../helpers/clients/fake-endpoint.ts';

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
