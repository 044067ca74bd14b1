import type { Channel, ChannelGrant, Countersign } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import nacl from 'tweetnacl';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ManualClock } from '../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

const NAME = 'private-encrypted-bla';
/** E1 and E4 of the protocol reference: the keys of that channel under two master keys. */
const KEY = 'RpbCvg2hpomTzoPaomRoEyueYQkn+p44PjBeoYoMNm0=';
const OTHER_KEY = 'tLuit+akhygIJD676knbV5IlWAHBfnhtCiXXEmuEGFM=';
const nonce = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';
/** B1 to B4, sealed with KEY. */
const boxes = {
  b1: 'GyO+yR3eAFA++DKnt8dDbhu1n/BqdF2zVG4SRsJOcaikiiOEsjkKRf5fsCO0Fok=',
  b2: 'BUE7rnwL2AxwSodSASrpXEL/m7c=',
  b3: 'sKsume/3XB1ZDXRHSoZxyA==',
  b4: 'OX+e/Z2t+wkCvTMuJvIVYBu1k7cjNkE=',
};
const sealed = (ciphertext: string): object => ({ nonce, ciphertext });
const bytes = (base64: string): Uint8Array => Buffer.from(base64, 'base64');
const sealedWith = (key: string, value: unknown): object =>
  sealed(
    Buffer.from(nacl.secretbox(Buffer.from(JSON.stringify(value)), bytes(nonce), bytes(key))).toString(
      'base64',
    ),
  );

/** A subscribed channel whose app answers these keys, or lists of them, one after the other, and the last for ever. */
async function subscribed(...keys: (string | readonly string[])[]): Promise<{
  client: Countersign;
  channel: Channel;
  peer: Peer;
  clock: ManualClock;
  asked: string[];
}> {
  const endpoint = await startEndpoint();
  const clock = new ManualClock();
  const asked: string[] = [];
  const client = startClient(endpoint, {
    encryption,
    clock,
    channelAuthorization: {
      customHandler: async ({ socketId }): Promise<ChannelGrant> => {
        asked.push(socketId);
        const [shared_secret = '', ...others] = [(keys.length > 1 ? keys.shift() : keys[0]) ?? []].flat();
        const additional = others.length > 0 && { additional_shared_secrets: others };
        return { auth: 'key-1:sig', shared_secret, ...additional };
      },
    },
  });
  const channel = client.subscribe(NAME);
  clock.advance(0);
  const peer = await endpoint.welcome('1.2');
  expect(await peer.next()).toEqual({
    event: 'pusher:subscribe',
    data: { auth: 'key-1:sig', channel: NAME },
  });
  const succeeded = nextEvent(channel, 'pusher:subscription_succeeded');
  peer.confirm(NAME);
  await succeeded;
  return { client, channel, peer, clock, asked };
}

test('without the option, subscribing says what to import', async () => {
  const client = startClient(await startEndpoint());
  expect(() => client.subscribe(NAME)).toThrow('@countersign/sdk-client/encrypted');
});

test.each<[string, string, unknown]>([
  ['B1', boxes.b1, { message: 'hello 漢字 🚀' }],
  ['B2', boxes.b2, 'hi'],
  ['B3', boxes.b3, ''],
  ['B4', boxes.b4, { a: 1 }],
])('%s opens', async (_, ciphertext, expected) => {
  const { client, channel, peer } = await subscribed(KEY);
  const heard = [nextEvent(channel, 'e'), nextEvent(client, 'e')];
  peer.event('e', sealed(ciphertext), NAME);
  expect(await Promise.all(heard)).toEqual([expected, expected]);
});

test('data that is an object and not text opens, too', async () => {
  const { channel, peer } = await subscribed(KEY);
  const heard = nextEvent(channel, 'e');
  peer.send({ event: 'e', channel: NAME, data: sealed(boxes.b4) });
  expect(await heard).toEqual({ a: 1 });
});

test('events of the protocol are not opened', async () => {
  const { channel, peer } = await subscribed(KEY);
  const missed = nextEvent(channel, 'pusher:cache_miss');
  peer.event('pusher:cache_miss', {}, NAME);
  expect(await missed).toEqual({});
});

test('opens without TextDecoder and atob, which not every platform has', async () => {
  const { channel, peer } = await subscribed(KEY);
  vi.stubGlobal('TextDecoder', undefined);
  vi.stubGlobal('atob', undefined);
  onTestFinished(() => {
    vi.unstubAllGlobals();
  });
  const heard = nextEvent(channel, 'e');
  peer.event('e', sealed(boxes.b1), NAME);
  expect(await heard).toEqual({ message: 'hello 漢字 🚀' });
});

test('client events are refused', async () => {
  const { channel } = await subscribed(KEY);
  expect(() => channel.trigger('client-x', {})).toThrow('carries no client events');
});

test.each(['', 'x', 'AAAA', `${KEY}AAAA`])('a grant with the key "%s" is an error', async (shared_secret) => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, {
    encryption,
    channelAuthorization: { customHandler: async () => ({ auth: 'a', shared_secret }) },
  });
  const refused = nextEvent(client.subscribe(NAME), 'pusher:subscription_error');
  await endpoint.welcome();
  expect(await refused).toMatchObject({
    type: 'EndpointError',
    message: expect.stringContaining('shared_secret'),
  });
});

test.each([
  ['text', 'x'],
  ['a list with something else', [KEY, 7]],
  ['a list with no key', ['AAAA']],
])('a grant whose additional keys are %s is an error', async (_, additional) => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint, {
    encryption,
    channelAuthorization: {
      customHandler: async () => ({
        auth: 'a',
        shared_secret: KEY,
        additional_shared_secrets: additional as string[],
      }),
    },
  });
  const refused = nextEvent(client.subscribe(NAME), 'pusher:subscription_error');
  await endpoint.welcome();
  expect(await refused).toMatchObject({
    type: 'EndpointError',
    message: expect.stringContaining('shared_secret'),
  });
});

describe('while the app changes its key', () => {
  test('what is sealed with an additional key opens, and nobody is asked', async () => {
    const { channel, peer, asked } = await subscribed([KEY, OTHER_KEY]);
    const heard: unknown[] = [];
    channel.bind('e', (data) => heard.push(data));
    const last = nextEvent(channel, 'last');
    for (const [n, key] of [KEY, OTHER_KEY, KEY, OTHER_KEY].entries())
      peer.event('e', sealedWith(key, n), NAME);
    peer.event('last', sealedWith(OTHER_KEY, 4), NAME);
    await last;
    expect(heard).toEqual([0, 1, 2, 3]);
    expect(asked).toHaveLength(1);
  });

  test('the key that was granted before opens for an hour more', async () => {
    const { channel, peer, clock, asked } = await subscribed(OTHER_KEY, KEY);
    const hear = async (key: string): Promise<unknown> => {
      const heard = nextEvent(channel, 'e');
      peer.event('e', sealedWith(key, key), NAME);
      return heard;
    };
    for (const key of [OTHER_KEY, KEY, OTHER_KEY, KEY]) expect(await hear(key)).toBe(key);
    expect(asked).toHaveLength(2);
    for (let times = 0; times < 360; times++) {
      expect(await hear(OTHER_KEY)).toBe(OTHER_KEY);
      clock.advance(10_000);
    }
    const dropped = nextEvent(channel, 'pusher:decryption_error');
    peer.event('e', sealedWith(OTHER_KEY, 0), NAME);
    expect(await dropped).toEqual({ event: 'e', message: 'Encrypted with another key' });
    expect(await hear(KEY)).toBe(KEY);
  });
});

describe('an event that does not open', () => {
  test('makes it ask once for a new key, which opens all that arrived meanwhile, in order', async () => {
    const { channel, peer, asked } = await subscribed(OTHER_KEY, KEY);
    const heard: unknown[] = [];
    channel.bind('e', (data) => heard.push(data));
    const last = nextEvent(channel, 'last');
    peer.event('e', sealed(boxes.b4), NAME);
    peer.event('e', sealed(boxes.b2), NAME);
    peer.event('last', sealed(boxes.b3), NAME);
    await last;
    expect(heard).toEqual([{ a: 1 }, 'hi']);
    expect(asked).toEqual(['1.2', '1.2']);
  });

  test('is dropped and reported when the new key does not open it either', async () => {
    const { channel, peer, asked } = await subscribed(OTHER_KEY);
    const events = recorded(channel);
    const dropped = nextEvent(channel, 'pusher:decryption_error');
    peer.event('e', sealed(boxes.b4), NAME);
    expect(await dropped).toEqual({ event: 'e', message: 'Encrypted with another key' });
    expect(events.map(({ event }) => event)).toEqual(['pusher:decryption_error']);
    expect(asked).toHaveLength(2);
  });

  test('does not make it ask again within ten seconds of an answer that brought no other key', async () => {
    const { channel, peer, clock, asked } = await subscribed(OTHER_KEY);
    const fail = async (): Promise<void> => {
      const dropped = nextEvent(channel, 'pusher:decryption_error');
      peer.event('e', sealed(boxes.b4), NAME);
      await dropped;
    };
    await fail();
    await fail();
    expect(asked).toHaveLength(2);
    clock.advance(10_000);
    await fail();
    expect(asked).toHaveLength(3);
  });

  test('B4 with one bit changed is dropped, and the next event opens', async () => {
    const { channel, peer } = await subscribed(KEY);
    const dropped = nextEvent(channel, 'pusher:decryption_error');
    peer.event('e', sealed(boxes.b4.replace('OX', 'OH')), NAME);
    await dropped;
    const heard = nextEvent(channel, 'e');
    peer.event('e', sealed(boxes.b4), NAME);
    expect(await heard).toEqual({ a: 1 });
  });

  test.each<[string, unknown]>([
    ['plain text', 'hello'],
    ['null', null],
    ['no nonce', { ciphertext: boxes.b4 }],
    ['a short nonce', { nonce: 'AAAA', ciphertext: boxes.b4 }],
    ['a short box', { nonce, ciphertext: 'AAAA' }],
    ['no base64', { nonce, ciphertext: '***' }],
  ])('is dropped without asking when it is %s', async (_, data) => {
    const { channel, peer, asked } = await subscribed(KEY);
    const dropped = nextEvent(channel, 'pusher:decryption_error');
    peer.event('e', data, NAME);
    expect(await dropped).toEqual({ event: 'e', message: 'Not encrypted' });
    expect(asked).toHaveLength(1);
  });
});
