import { describe, expect, test } from 'vitest';
import {
  expectSilence,
  heldAuthorization,
  subscribe,
  unsubscribe,
} from '../../helpers/clients/channel-frames.ts';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';

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
