import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { authorize, connect, type TestClient } from './helpers/client.ts';
import { frames } from './helpers/frames.ts';
import { recordLog } from './helpers/log.ts';
import { APP, configOf, OTHER_APP, type ServerSettings, startServer } from './helpers/server.ts';
import { channelVectors, forgeries, userVectors, app as vectorApp } from './vectors.ts';

const NO_AUTH = 'Auth info required to subscribe';
const NO_PROOF = 'Invalid auth: expected KEY:SIGNATURE with 64 lower-case hex digits';
const NO_MATCH = 'Invalid signature';

function refusal(channel: string, error: string): string {
  return frames.subscriptionError(channel, 'AuthError', error, 401);
}

function invalidData(channel: string, error: string): string {
  return frames.subscriptionError(channel, 'InvalidChannelData', error, 400);
}

/** A broker with the app of the worked examples, which names every connection as it is told. */
async function startVectorServer(socketId: string, settings: ServerSettings = {}): Promise<Broker> {
  const { id, key, secret } = vectorApp;
  return startServer({
    ...settings,
    app: { id, keys: [{ key, secret }], ...settings.app },
    parts: { ...settings.parts, newSocketId: () => socketId },
  });
}

/** Signs in as the user of the second example, who watches others and is told how they are. */
async function signInWatching(client: TestClient): Promise<void> {
  await client.signIn(userVectors[1]!.userData);
  expect(await client.next()).toBe(frames.watchlist({ offline: ['amy', 'bob'] }));
}

function connectVector(server: Broker): Promise<TestClient> {
  return connect(server, vectorApp);
}

/** What each worked example is answered with, where that is a roster. */
const rosters: Readonly<Record<string, readonly [id: string, info: object | null]>> = {
  P2: ['10', { name: 'Mr. Channels' }],
  P3: ['10', { name: 'Mr. Pusher' }],
  P4: ['zoë-7', { name: 'Zoë Ω 漢字 🚀', admin: false }],
  P5: ['zoë-7', { name: 'Zoë Ω 漢字 🚀', admin: false }],
  P6: ['7', null],
  P7: ['7', { b: 1, a: 'x/y' }],
  P8: ['7', { a: 'x/y', b: 1 }],
  P9: ['7', { a: 'x/y' }],
  P10: ['zoe-7', { name: 'Zoë Ω 漢字 🚀' }],
  P14: ['7', null],
};

/** Changes one bit of one byte. */
function flip(bytes: Buffer, at: number, bit: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at);
  return bytes;
}

const flipHex = (signature: string, at: number, bit: number): string =>
  flip(Buffer.from(signature, 'hex'), at, bit).toString('hex');

const wrongKey = flip(Buffer.from(vectorApp.key), 0, 1).toString();

describe.each(channelVectors)('$id', ({ id, socketId, channel, channelData, signature }) => {
  const auth = `${vectorApp.key}:${signature}`;
  const roster = rosters[id];
  const success = roster ? frames.presence(channel, [roster]) : frames.subscribed(channel);
  const data = channelData === undefined ? {} : { channel_data: channelData };

  test('is accepted', async () => {
    const server = await startVectorServer(socketId);
    const client = await connectVector(server);
    if (id === 'P10') await signInWatching(client);
    client.subscribe(channel, { auth, ...data });
    expect(await client.next()).toBe(success);
  });

  test.each<[string, unknown, string]>([
    ['its first bit changed', `${vectorApp.key}:${flipHex(signature, 0, 0x80)}`, NO_MATCH],
    ['its last bit changed', `${vectorApp.key}:${flipHex(signature, 31, 1)}`, NO_MATCH],
    [
      'a bit of its key changed',
      `${wrongKey}:${signature}`,
      `Invalid key in auth: this app has no key '${wrongKey}'`,
    ],
    [
      "another app's key",
      `${OTHER_APP.key}:${signature}`,
      `Invalid key in auth: this app has no key '${OTHER_APP.key}'`,
    ],
    [
      "another app's signature",
      authorize(socketId, channel, channelData, { ...OTHER_APP, key: vectorApp.key }),
      NO_MATCH,
    ],
    ['upper-case digits', `${vectorApp.key}:${signature.toUpperCase()}`, NO_PROOF],
    ['a digit too few', auth.slice(0, -1), NO_PROOF],
    ['a digit too many', `${auth}0`, NO_PROOF],
    ['a line feed at its end', `${auth}\n`, NO_PROOF],
    ['no key', `:${signature}`, NO_PROOF],
    ['no colon', signature, NO_PROOF],
    ['its key alone', vectorApp.key, NO_PROOF],
    ['a number in its place', 7, NO_PROOF],
    ['a list around it', [auth], NO_PROOF],
    ['an object around it', { auth }, NO_PROOF],
    ['true in its place', true, NO_PROOF],
    ['nothing in its place', undefined, NO_AUTH],
    ['null in its place', null, NO_AUTH],
    ['an empty text in its place', '', NO_AUTH],
  ])('is refused with %s, and then accepted as it is', async (_, wrong, error) => {
    const server = await startVectorServer(socketId);
    const client = await connectVector(server);
    if (id === 'P10') await signInWatching(client);
    client.subscribe(channel, { auth: wrong, ...data });
    expect(await client.next()).toBe(refusal(channel, error));
    client.subscribe(channel, { auth, ...data });
    expect(await client.next()).toBe(success);
  });

  test('is refused for another channel', async () => {
    const server = await startVectorServer(socketId);
    const client = await connectVector(server);
    client.subscribe(`${channel}2`, { auth, ...data });
    expect(await client.next()).toBe(refusal(`${channel}2`, NO_MATCH));
  });

  test('is refused on another connection', async () => {
    const server = await startVectorServer(`${socketId}1`);
    const client = await connectVector(server);
    client.subscribe(channel, { auth, ...data });
    expect(await client.next()).toBe(refusal(channel, NO_MATCH));
  });

  test('is refused with other channel_data', async () => {
    const server = await startVectorServer(socketId);
    const client = await connectVector(server);
    client.subscribe(channel, { auth, channel_data: channelData ? `${channelData} ` : '{"user_id":"7"}' });
    expect(await client.next()).toBe(refusal(channel, NO_MATCH));
  });
});

test.each(channelVectors.filter(({ channelData }) => channelData))(
  '$id is refused without its channel_data',
  async ({ socketId, channel, signature }) => {
    const server = await startVectorServer(socketId);
    const client = await connectVector(server);
    client.subscribe(channel, { auth: `${vectorApp.key}:${signature}` });
    expect(await client.next()).toBe(refusal(channel, NO_MATCH));
  },
);

test('two texts of one JSON value have a signature each', async () => {
  const [P4, P5] = ['P4', 'P5'].map((id) => channelVectors.find((vector) => vector.id === id)!);
  const server = await startVectorServer(P4!.socketId);
  const client = await connectVector(server);
  for (const [signed, sent] of [
    [P4!, P5!],
    [P5!, P4!],
  ] as const) {
    expect(JSON.parse(signed.channelData!)).toEqual(JSON.parse(sent.channelData!));
    const auth = `${vectorApp.key}:${signed.signature}`;
    client.subscribe(sent.channel, { auth, channel_data: sent.channelData });
    expect(await client.next()).toBe(refusal(sent.channel, NO_MATCH));
  }
});

test('F1: text that a careless endpoint signed as a channel name is no channel_data', async () => {
  const { signature } = forgeries.find(({ id }) => id === 'F1')!;
  const server = await startVectorServer('1.1');
  const client = await connectVector(server);
  const auth = `${vectorApp.key}:${signature}`;
  client.subscribe('private-victim', { auth, channel_data: 'private-mine' });
  expect(await client.next()).toBe(invalidData('private-victim', 'channel_data must be a JSON object'));
});

describe('channel_data', () => {
  test('that is empty counts as none', async () => {
    const server = await startServer();
    const client = await connect(server);
    const auth = authorize(client.socketId, 'private-a');
    client.subscribe('private-a', { auth, channel_data: '' });
    expect(await client.next()).toBe(frames.subscribed('private-a'));
  });

  test.each(['[]', '"x"', '7', 'null', 'true', '{', '{"a":1}x', 'x'])(
    'of a private channel cannot be %s',
    async (channelData) => {
      const server = await startServer();
      const client = await connect(server);
      expect(await client.join('private-a', channelData)).toBe(
        invalidData('private-a', 'channel_data must be a JSON object'),
      );
    },
  );

  test.each([7, true, {}, ['{}']])('is a text, and not %j', async (channelData) => {
    const server = await startServer();
    const client = await connect(server);
    const auth = authorize(client.socketId, 'private-a');
    client.subscribe('private-a', { auth, channel_data: channelData });
    expect(await client.next()).toBe(
      invalidData('private-a', 'channel_data must be a string that holds JSON'),
    );
  });

  test.each(['x', '{"user_id":true}', JSON.stringify({ user_id: 'a'.repeat(5000) })])(
    'is read only if its signature is right: %.20s',
    async (channelData) => {
      const server = await startServer();
      const client = await connect(server);
      const auth = `${APP.key}:${'0'.repeat(64)}`;
      client.subscribe('presence-a', { auth, channel_data: channelData });
      expect(await client.next()).toBe(refusal('presence-a', NO_MATCH));
    },
  );
});

describe('an app with two keys', () => {
  const first = APP;
  const second = { ...APP, key: 'key-new', secret: 'secret-new' };
  const app = { keys: [first, second].map(({ key, secret }) => ({ key, secret })) };

  test('accepts both, whichever the connection came with', async () => {
    const server = await startServer({ app });
    for (const arrival of [first, second]) {
      const client = await connect(server, arrival);
      for (const signer of [first, second]) {
        client.credentials = signer;
        const channel = `private-${signer.key}`;
        expect(await client.join(channel)).toBe(frames.subscribed(channel));
      }
    }
  });

  test('accepts each key with its own secret only', async () => {
    const server = await startServer({ app });
    const client = await connect(server);
    client.credentials = { ...first, secret: second.secret };
    expect(await client.join('private-a')).toBe(refusal('private-a', NO_MATCH));
    client.credentials = { ...second, secret: first.secret };
    expect(await client.join('private-a')).toBe(refusal('private-a', NO_MATCH));
  });

  test('accepts a key no more once it is removed', async () => {
    const server = await startServer({ app });
    const client = await connect(server, second);
    server.reload(configOf({ app: { keys: [{ key: second.key, secret: second.secret }] } }).apps);
    client.credentials = first;
    expect(await client.join('private-a')).toBe(
      refusal('private-a', `Invalid key in auth: this app has no key '${first.key}'`),
    );
    client.credentials = second;
    expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
  });
});

test.each(['__proto__', 'constructor', 'toString', `${APP.key}:${APP.key}`])(
  'no app has a key called %s',
  async (key) => {
    const server = await startServer();
    const client = await connect(server);
    client.credentials = { ...APP, key };
    expect(await client.join('private-a')).toBe(
      refusal('private-a', `Invalid key in auth: this app has no key '${key}'`),
    );
  },
);

test('what was signed for the last connection is refused, and what is signed for this one then accepted', async () => {
  const server = await startServer();
  const before = await connect(server);
  before.close();
  const client = await connect(server);
  for (let attempt = 0; attempt < 20; attempt += 1) {
    client.subscribe('private-a', { auth: authorize(before.socketId, 'private-a') });
    expect(await client.next()).toBe(refusal('private-a', NO_MATCH));
  }
  expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
});

test('a signature holds for as long as its connection', async () => {
  const server = await startServer();
  const client = await connect(server);
  expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
  client.unsubscribe('private-a');
  expect(await client.join('private-a')).toBe(frames.subscribed('private-a'));
});

describe('a refusal', () => {
  const wrong = { auth: `${APP.key}:${'0'.repeat(64)}`, channel_data: '{"user_id":"7"}' };

  test('tells no reason beyond what the client knows', async () => {
    const server = await startServer();
    const client = await connect(server);
    client.subscribe('presence-a', wrong);
    expect(await client.next()).toBe(refusal('presence-a', NO_MATCH));
  });

  test('tells what should have been signed if the app says so', async () => {
    const server = await startServer({ app: { explainRefusals: true } });
    const client = await connect(server);
    const text = `${client.socketId}:presence-a:{"user_id":"7"}`;
    const explanation = `expected the HMAC SHA256 hex digest of ${JSON.stringify(text)}`;
    client.subscribe('presence-a', wrong);
    expect(await client.next()).toBe(refusal('presence-a', `${NO_MATCH}: ${explanation}`));
    client.subscribe('presence-a', { ...wrong, auth: '' });
    expect(await client.next()).toBe(refusal('presence-a', `${NO_AUTH}: ${explanation}`));
  });

  test('is logged with its reason, and with what was expected at debug', async () => {
    const { log, lines } = recordLog();
    const server = await startServer({ parts: { log } });
    const client = await connect(server);
    client.subscribe('presence-a', wrong);
    await client.next();
    const where = { appId: APP.id, key: APP.key, socketId: client.socketId, channel: 'presence-a' };
    const [line, detail] = lines.filter(({ msg }) => msg.startsWith('subscription refused'));
    expect(line).toMatchObject({ level: 30, ...where, type: 'AuthError', reason: NO_MATCH });
    expect(detail).toMatchObject({ level: 20, ...where });
    expect(detail!['explanation']).toContain('presence-a:{');
  });

  test('is logged without what was expected at info', async () => {
    const { log, lines } = recordLog('info');
    const server = await startServer({ parts: { log } });
    const client = await connect(server);
    client.subscribe('presence-a', wrong);
    await client.next();
    const refused = lines.filter(({ msg }) => msg.startsWith('subscription refused'));
    expect(refused).toMatchObject([{ reason: NO_MATCH }]);
    expect(JSON.stringify(lines)).not.toContain('presence-a:{');
  });

  test('and everything else is logged without a secret or a right signature', async () => {
    const { log, lines } = recordLog();
    const server = await startServer({ parts: { log } });
    const client = await connect(server);
    client.subscribe('private-a', { auth: authorize(client.socketId, 'private-b') });
    await client.next();
    await client.join('private-a');
    await client.signIn({});
    await client.signIn({ id: '7' });
    const text = JSON.stringify(lines);
    expect(text).toContain('subscription refused');
    expect(text).not.toContain(APP.secret);
    expect(text).not.toContain(authorize(client.socketId, 'private-a').split(':')[1]);
  });
});
