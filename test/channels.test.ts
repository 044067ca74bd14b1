import { MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, publishBatch, publishTo, request } from './helpers/api.ts';
import { authorize, connect } from './helpers/client.ts';
import { DelayedAdapter } from './helpers/delayed-adapter.ts';
import { frames } from './helpers/frames.ts';
import { OTHER_APP, startServer } from './helpers/server.ts';

const ANN = { user_id: 'ann' };

function invalidName(channel: string, length = 200): string {
  const message = `Invalid channel name: expected 1 to ${length} of A-Z a-z 0-9 _ - = @ , . ;`;
  return frames.subscriptionError(channel, 'InvalidChannel', message, 400);
}

describe('a channel name', () => {
  test.each(['-', 'foo-bar_1234@=,.;', 'a'.repeat(200), '__proto__', 'constructor'])(
    'may be %s',
    async (channel) => {
      const server = await startServer();
      const client = await connect(server);
      client.subscribe(channel);
      expect(await client.next()).toBe(frames.subscribed(channel));
    },
  );

  test.each([
    '',
    'a b',
    'a/b',
    'a\0b',
    'news\n',
    'private-a\n',
    'private-a:b',
    'private-é',
    'presence-x:{"user_id":"admin"}',
    ':user::{"id":"admin"}',
    '#private',
    '#server-to-user-',
    '#server-to-user-a b',
    `#server-to-user-${'7'.repeat(129)}`,
    'a'.repeat(201),
  ])('may not be %j', async (channel) => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(channel, channel.startsWith('presence-') ? ANN : undefined)).toBe(
      invalidName(channel),
    );
  });

  test('may be as long as the app allows', async () => {
    const server = await startServer({ limits: { channelNameLength: 4 } });
    const client = await connect(server);
    expect(await client.join('news')).toBe(frames.subscribed('news'));
    expect(await client.join('newsy')).toBe(invalidName('newsy', 4));
  });

  test('is read letter by letter, capitals too', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('News');
    await publish(server, 'news', 'e', 'small');
    await publish(server, 'News', 'e', 'capital');
    expect(await client.next()).toBe(frames.event('e', 'News', 'capital'));
  });
});

/** What a name asks for, and what comes with it. */
interface Kind {
  readonly channel: string;
  readonly signed: boolean;
  readonly cache: boolean;
  readonly presence: boolean;
  readonly encrypted: boolean;
}

const PUBLIC = { signed: false, cache: false, presence: false, encrypted: false };
const PRIVATE = { ...PUBLIC, signed: true };
const ENCRYPTED = { ...PRIVATE, encrypted: true };
const PRESENCE = { ...PRIVATE, presence: true };
const CACHE = { cache: true };

const kinds: readonly Kind[] = [
  { channel: 'private-encrypted-cache-a', ...ENCRYPTED, ...CACHE },
  { channel: 'private-encrypted-a', ...ENCRYPTED },
  { channel: 'private-cache-a', ...PRIVATE, ...CACHE },
  { channel: 'private-a', ...PRIVATE },
  { channel: 'presence-cache-a', ...PRESENCE, ...CACHE },
  { channel: 'presence-a', ...PRESENCE },
  { channel: 'cache-a', ...PUBLIC, ...CACHE },
  { channel: 'a', ...PUBLIC },
  // A prefix counts only as a whole, and only at the beginning.
  { channel: 'private', ...PUBLIC },
  { channel: 'presence', ...PUBLIC },
  { channel: 'cache', ...PUBLIC },
  { channel: 'privateer', ...PUBLIC },
  { channel: 'private_a', ...PUBLIC },
  { channel: 'Private-a', ...PUBLIC },
  { channel: 'my-cache-a', ...PUBLIC },
  { channel: 'foo-private-a', ...PUBLIC },
  { channel: 'foo-presence-a', ...PUBLIC },
  { channel: 'cache-private-a', ...PUBLIC, ...CACHE },
  { channel: 'cache-presence-a', ...PUBLIC, ...CACHE },
  { channel: 'private-', ...PRIVATE },
  { channel: 'private-cache', ...PRIVATE },
  { channel: 'private-my-cache-a', ...PRIVATE },
  { channel: 'private-presence-a', ...PRIVATE },
  { channel: 'private-encrypted', ...PRIVATE },
  { channel: 'private-cache-encrypted-a', ...PRIVATE, ...CACHE },
  { channel: 'private-encrypted-cache', ...ENCRYPTED },
  { channel: 'presence-', ...PRESENCE },
  { channel: 'presence-cache', ...PRESENCE },
  { channel: 'presence-encrypted-a', ...PRESENCE },
];

describe.each(kinds)('$channel', ({ channel, signed, cache, presence, encrypted }) => {
  test(signed ? 'needs a signature' : 'needs no signature', async () => {
    const server = await startServer();
    const client = await connect(server);
    client.subscribe(channel);
    expect(await client.next()).toBe(
      signed
        ? frames.subscriptionError(channel, 'AuthError', 'Auth info required to subscribe', 401)
        : frames.subscribed(channel),
    );
  });

  test(presence ? 'shows who is there' : 'shows nobody', async () => {
    const server = await startServer();
    const client = await connect(server);
    const acknowledged = presence ? frames.presence(channel, [['ann', null]]) : frames.subscribed(channel);
    expect(await client.join(channel, ANN)).toBe(acknowledged);
  });

  test(cache ? 'keeps the last event' : 'keeps no event', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join(channel, ANN);
    expect(await client.nothing()).toEqual(cache ? [frames.cacheMiss(channel)] : []);
  });

  test(encrypted ? 'refuses what is not encrypted' : 'takes any data', async () => {
    const server = await startServer();
    const body = { name: 'e', channel, data: 'in the clear' };
    expect((await request(server, 'POST', '/events', { body })).status).toBe(encrypted ? 400 : 200);
  });
});

describe('#server-to-user-', () => {
  test('asks for the sign-in of this user', async () => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join('#server-to-user-7')).toBe(
      frames.subscriptionError(
        '#server-to-user-7',
        'AuthError',
        'Only a connection signed in as this user may subscribe',
        401,
      ),
    );
    await client.signIn({ id: '7' });
    client.subscribe('#server-to-user-7');
    expect(await client.next()).toBe(frames.subscribed('#server-to-user-7'));
    expect(await client.nothing()).toEqual([]);
  });
});

describe('to subscribe', () => {
  test.each<[string, unknown]>([
    ['data is an object', { channel: 'news' }],
    ['data is the text of one', JSON.stringify({ channel: 'news' })],
    ['auth is empty', { auth: '', channel: 'news' }],
    ['auth is wrong where none is asked for', { auth: 7, channel: 'news', channel_data: 7 }],
    ['data holds more', { channel: 'news', colour: 'blue' }],
  ])('succeeds when %s', async (_, data) => {
    const server = await startServer();
    const client = await connect(server);
    client.send({ event: 'pusher:subscribe', data });
    expect(await client.next()).toBe(frames.subscribed('news'));
  });

  test('gives nothing of what was published before', async () => {
    const server = await startServer();
    const client = await connect(server);
    await publish(server, 'news', 'e', 'before');
    await client.join('news');
    await publish(server, 'news', 'e', 'after');
    expect(await client.next()).toBe(frames.event('e', 'news', 'after'));
  });

  test('is possible in so many channels, and again after leaving one', async () => {
    const server = await startServer({ limits: { subscriptionsPerConnection: 2 } });
    const client = await connect(server);
    const tooMany = 'This connection has 2 subscriptions already';
    expect(await client.join('a')).toBe(frames.subscribed('a'));
    expect(await client.join('b')).toBe(frames.subscribed('b'));
    expect(await client.join('c')).toBe(frames.subscriptionError('c', 'LimitReached', tooMany, 409));
    expect(await client.join('a')).toBe(frames.subscribed('a'));
    client.unsubscribe('a');
    expect(await client.join('c')).toBe(frames.subscribed('c'));
  });

  test('counts what is still under way', async () => {
    const adapter = new DelayedAdapter(new MemoryAdapter());
    const server = await startServer({ limits: { subscriptionsPerConnection: 2 }, parts: { adapter } });
    const client = await connect(server);
    for (const channel of ['a', 'b', 'c']) client.subscribe(channel);
    const answers = [await client.next(), await client.next(), await client.next()];
    expect(answers.sort()).toEqual([
      frames.subscriptionError('c', 'LimitReached', 'This connection has 2 subscriptions already', 409),
      frames.subscribed('a'),
      frames.subscribed('b'),
    ]);
  });
});

describe('to subscribe again', () => {
  test('is acknowledged again, and events still come once', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    expect(await client.join('news')).toBe(frames.subscribed('news'));
    await publish(server, 'news', 'e', '1');
    expect(await client.nothing()).toEqual([frames.event('e', 'news', '1')]);
  });

  test('shows who is there now, and tells the others nothing', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    await ann.join('presence-room', ANN);
    await bob.join('presence-room', { user_id: 'bob' });
    expect(await ann.next()).toBe(frames.memberAdded('presence-room', 'bob'));
    expect(await ann.join('presence-room', ANN)).toBe(
      frames.presence('presence-room', [
        ['ann', null],
        ['bob', null],
      ]),
    );
    expect(await ann.nothing()).toEqual([]);
    expect(await bob.nothing()).toEqual([]);
  });

  test('keeps who the member was', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    await ann.join('presence-room', { user_id: 'ann', user_info: { name: 'Ann' } });
    const snapshot = frames.presence('presence-room', [['ann', { name: 'Ann' }]]);
    expect(await ann.join('presence-room', { user_id: 'ann', user_info: { name: 'Anna' } })).toBe(snapshot);
    expect(await ann.join('presence-room', { user_id: 'eve' })).toBe(snapshot);
    await bob.join('presence-room', { user_id: 'bob' });
    ann.unsubscribe('presence-room');
    expect(await bob.next()).toBe(frames.memberRemoved('presence-room', 'ann'));
  });

  test('needs the signature again, and without it the subscription stays', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('private-a');
    client.subscribe('private-a', { auth: 'key-1:no' });
    expect(await client.nothing()).toMatchObject([expect.stringContaining('pusher:subscription_error')]);
    await publish(server, 'private-a', 'e', '1');
    expect(await client.next()).toBe(frames.event('e', 'private-a', '1'));
  });
});

describe('to unsubscribe', () => {
  test('is not answered, and ends the events of this channel', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    await client.join('sport');
    client.unsubscribe('news');
    expect(await client.nothing()).toEqual([]);
    await publish(server, 'news', 'e', '1');
    await publish(server, 'sport', 'e', '2');
    expect(await client.next()).toBe(frames.event('e', 'sport', '2'));
  });

  test.each(['never-subscribed', '', 'a b', '#server-to-user-7', '__proto__'])(
    'from %j, where nobody is, is ignored',
    async (channel) => {
      const server = await startServer();
      const client = await connect(server);
      client.unsubscribe(channel);
      expect(await client.nothing()).toEqual([]);
    },
  );

  test('and to subscribe follow each other as they were sent', async () => {
    const adapter = new DelayedAdapter(new MemoryAdapter());
    const server = await startServer({ parts: { adapter } });
    const [client, witness] = [await connect(server), await connect(server)];
    await witness.join('presence-room', ANN);
    const bob = frames.presence('presence-room', [
      ['ann', null],
      ['bob', null],
    ]);
    for (let turn = 0; turn < 3; turn += 1) {
      client.askFor('presence-room', { user_id: 'bob' });
      client.unsubscribe('presence-room');
    }
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await client.next()).toBe(bob);
      expect(await witness.next()).toBe(frames.memberAdded('presence-room', 'bob'));
      expect(await witness.next()).toBe(frames.memberRemoved('presence-room', 'bob'));
    }
    await publish(server, 'presence-room', 'e', '1');
    expect(await witness.next()).toBe(frames.event('e', 'presence-room', '1'));
    expect(await client.nothing()).toEqual([]);
  });

  test('is what the end of a connection does in every channel', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    for (const channel of ['presence-a', 'presence-b']) {
      await bob.join(channel, { user_id: 'bob' });
      await ann.join(channel, ANN);
      expect(await bob.next()).toBe(frames.memberAdded(channel, 'ann'));
    }
    await ann.join('news');
    ann.close();
    expect(await bob.next()).toBe(frames.memberRemoved('presence-a', 'ann'));
    expect(await bob.next()).toBe(frames.memberRemoved('presence-b', 'ann'));
    const { body } = await request(server, 'GET', '/channels');
    expect(body).toEqual({ channels: { 'presence-a': {}, 'presence-b': {} } });
  });
});

describe('an event', () => {
  const backslash = String.fromCharCode(92);

  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a word', 'hello'],
    ['a number above 2^53', '9007199254740993'],
    ['a number of many digits', '{"n":0.10000000000000000000001}'],
    ['spaces and a doubled key', '{ "a" : 1,\n\t"a":2 }'],
    ['unicode', '{"name":"Zoë Ω 漢字 🚀"}'],
    ['unicode in escapes', `{"name":"Zo${backslash}u00eb"}`],
    ['line separators', '\u2028\u2029'],
    ['control characters', '\0\u0001\u001f\u007f\r\n'],
    ['quotes and backslashes', `"${backslash}"${backslash}${backslash}/`],
    ['a surrogate without its other half', 'a\ud800b'],
    ['such a surrogate in an escape', `"${backslash}ud800"`],
    ['nesting 4500 deep', '['.repeat(4500)],
  ])('carries %s unchanged', async (_, data) => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    await publish(server, 'news', 'e', data);
    expect(await client.nextMessage()).toStrictEqual({ event: 'e', channel: 'news', data });
  });

  test.each(['App\\Events\\Shipped', 'grüße 🚀', 'client-like', 'pusher', '__proto__', 'x'.repeat(200)])(
    'may be called %s',
    async (name) => {
      const server = await startServer();
      const client = await connect(server);
      await client.join('news');
      await publish(server, 'news', name, '1');
      expect(await client.next()).toBe(frames.event(name, 'news', '1'));
    },
  );

  test('comes to every subscriber of its channel, as the same text', async () => {
    const server = await startServer();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(server)));
    for (const client of clients) await client.join('news');
    await publish(server, 'news', 'e', '{"a":1}');
    for (const client of clients) expect(await client.next()).toBe(frames.event('e', 'news', '{"a":1}'));
  });

  test('comes in the order in which it was published', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    for (let n = 0; n < 50; n += 1) await publish(server, 'news', 'e', String(n));
    for (let n = 0; n < 50; n += 1) expect(await client.next()).toBe(frames.event('e', 'news', String(n)));
  });

  test('of a batch comes in the order of the batch', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('a');
    await client.join('b');
    const batch = ['a', 'b', 'a', 'b'].map((channel, n) => ({ channel, name: 'e', data: String(n) }));
    await publishBatch(server, batch);
    for (const { channel, data } of batch) expect(await client.next()).toBe(frames.event('e', channel, data));
  });

  test('to several channels comes once for each', async () => {
    const server = await startServer();
    const [both, one] = [await connect(server), await connect(server)];
    await both.join('a');
    await both.join('b');
    await one.join('b');
    await publishTo(server, ['b', 'a', 'c', 'b'], 'e', '1');
    expect(await both.nothing()).toEqual([frames.event('e', 'b', '1'), frames.event('e', 'a', '1')]);
    expect(await one.nothing()).toEqual([frames.event('e', 'b', '1')]);
  });

  test('does not come to the one connection that is left out', async () => {
    const server = await startServer();
    const [out, other] = [await connect(server), await connect(server)];
    for (const client of [out, other]) {
      await client.join('a');
      await client.join('b');
    }
    await publishTo(server, ['a', 'b'], 'e', '1', { socket_id: out.socketId });
    await publish(server, 'a', 'marker', '');
    expect(await out.next()).toBe(frames.event('marker', 'a', ''));
    expect(await other.next()).toBe(frames.event('e', 'a', '1'));
    expect(await other.next()).toBe(frames.event('e', 'b', '1'));
  });

  test('leaves out each connection that an item of a batch names', async () => {
    const server = await startServer();
    const [ann, bob] = [await connect(server), await connect(server)];
    for (const client of [ann, bob]) await client.join('news');
    const batch = [
      { channel: 'news', name: 'e', data: 'not ann', socket_id: ann.socketId },
      { channel: 'news', name: 'e', data: 'not bob', socket_id: bob.socketId },
      { channel: 'news', name: 'e', data: 'all' },
    ];
    await publishBatch(server, batch);
    expect(await ann.nothing()).toEqual(['not bob', 'all'].map((data) => frames.event('e', 'news', data)));
    expect(await bob.nothing()).toEqual(['not ann', 'all'].map((data) => frames.event('e', 'news', data)));
  });

  test('comes to all when the socket id is nobody', async () => {
    const server = await startServer();
    const client = await connect(server);
    await client.join('news');
    await publish(server, 'news', 'e', '1', { socket_id: '1.1' });
    expect(await client.next()).toBe(frames.event('e', 'news', '1'));
  });

  test('stays within its app', async () => {
    const server = await startServer();
    const [ours, theirs] = [await connect(server), await connect(server, OTHER_APP)];
    for (const client of [ours, theirs]) await client.join('private-news');
    await publish(server, 'private-news', 'e', 'theirs', {}, OTHER_APP);
    await publish(server, 'private-news', 'e', 'ours');
    expect(await ours.nothing()).toEqual([frames.event('e', 'private-news', 'ours')]);
    expect(await theirs.nothing()).toEqual([frames.event('e', 'private-news', 'theirs')]);
  });
});

test('a signature for one connection is worth nothing on another', async () => {
  const server = await startServer();
  const [ann, eve] = [await connect(server), await connect(server)];
  eve.subscribe('private-a', { auth: authorize(ann.socketId, 'private-a') });
  expect(await eve.next()).toBe(frames.subscriptionError('private-a', 'AuthError', 'Invalid signature', 401));
});
