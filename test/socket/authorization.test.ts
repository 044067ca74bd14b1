import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { authorize, connect, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { channelVectors, forgeries, userVectors, app as vectorApp } from '../packages/vectors.ts';

const NO_AUTH = 'Auth info required to subscribe';
const NO_PROOF = 'Invalid auth: expected KEY:SIGNATURE with 64 lower-case hex digits';
const NO_MATCH = 'Invalid signature';

const CODES: Readonly<Record<string, string>> = {
  [NO_AUTH]: 'missing_auth',
  [NO_PROOF]: 'invalid_auth',
  [NO_MATCH]: 'invalid_signature',
};

function refusal(channel: string, error: string): string {
  return frames.subscriptionError(channel, 'AuthError', error, 401, CODES[error] ?? 'unknown_key');
}

function invalidData(channel: string, error: string): string {
  return frames.subscriptionError(channel, 'InvalidChannelData', error, 400, 'invalid_channel_data');
}

/** A broker with the app of the worked examples, which names every connection as it is told. */
function startVectorServer(socketId: string): Promise<Broker> {
  const { id, key, secret } = vectorApp;
  return startServer({ app: { id, keys: [{ key, secret }] }, parts: { newSocketId: () => socketId } });
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
const rosters: Readonly<Record<string, readonly [id: string, info: object | string | null]>> = {
  P2: ['10', { name: 'Mr. Channels' }],
  P3: ['10', { name: 'Mr. Pusher' }],
  P4: ['zoë-7', { name: 'Zoë Ω 漢字 🚀', admin: false }],
  P5: ['zoë-7', String.raw`{"name":"Zo\u00eb \u03a9 \u6f22\u5b57 \ud83d\ude80","admin":false}`],
  P6: ['7', null],
  P7: ['7', { b: 1, a: 'x/y' }],
  P8: ['7', String.raw`{"a":"x\/y","b":1}`],
  P9: ['7', '{"a": "x/y"}'],
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
