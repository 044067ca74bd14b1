import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const ANN = { user_id: 'ann' };

function invalidName(channel: string, length = 200): string {
  const message = `Invalid channel name: expected 1 to ${length} of A-Z a-z 0-9 _ - = @ , . ;`;
  return frames.subscriptionError(channel, 'InvalidChannel', message, 400, 'invalid_channel');
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
        ? frames.subscriptionError(
            channel,
            'AuthError',
            'Auth info required to subscribe',
            401,
            'missing_auth',
          )
        : frames.subscribed(channel),
    );
  });

  test(presence ? 'lists the members' : 'lists no members', async () => {
    const server = await startServer();
    const client = await connect(server);
    const acknowledged = presence ? frames.presence(channel, [['ann', null]]) : frames.subscribed(channel);
    expect(await client.join(channel, ANN)).toBe(acknowledged);
  });

  test(cache ? 'sends the kept event' : 'keeps no event', async () => {
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
        'sign_in_required',
      ),
    );
    await client.signIn({ id: '7' });
    client.subscribe('#server-to-user-7');
    expect(await client.next()).toBe(frames.subscribed('#server-to-user-7'));
    expect(await client.nothing()).toEqual([]);
  });
});
