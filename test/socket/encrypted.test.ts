import { Countersign } from '@countersign/sdk-server';
import nacl from 'tweetnacl';
import { describe, expect, test } from 'vitest';
import { publish, publishBatch, request } from '../helpers/api.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { boxVectors, MASTER_KEY, NONCE } from '../packages/vectors.ts';

const CHANNEL = 'private-encrypted-bla';
const sealed = JSON.stringify({ nonce: NONCE, ciphertext: boxVectors[0]!.ciphertext });
const base64 = (length: number): string => Buffer.alloc(length, 7).toString('base64');

const NOT_SEALED =
  '"data" must be encrypted for a private-encrypted- channel: {"nonce":BASE64_OF_24_BYTES,"ciphertext":BASE64}';

describe.each([CHANNEL, 'private-encrypted-cache-bla'])('%s', (channel) => {
  test('needs a signature, as private channels do', async () => {
    const client = await connect(await startServer());
    client.subscribe(channel);
    expect(await client.next()).toBe(
      frames.subscriptionError(channel, 'AuthError', 'Auth info required to subscribe', 401, 'missing_auth'),
    );
    expect(await client.join(channel)).toBe(frames.subscribed(channel));
  });

  test.each([
    ['as the SDK writes it', sealed],
    ['with the nonce last', JSON.stringify({ ciphertext: base64(16), nonce: base64(24) })],
    ['with spaces and more keys', `{ "v": 2, "nonce": "${base64(24)}",\n "ciphertext": "${base64(17)}" }`],
  ])('takes what is encrypted, %s, and passes it on untouched', async (_, data) => {
    const server = await startServer();
    const client = await connect(server);
    await client.join(channel);
    if (channel.includes('cache')) await client.next();
    await publish(server, channel, 'e', data);
    expect(await client.next()).toBe(frames.event('e', channel, data));
  });

  test.each([
    ['a text', 'in the clear'],
    ['nothing', ''],
    ['JSON of something else', '{"message":"in the clear"}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text that holds what is encrypted', JSON.stringify(sealed)],
    ['no nonce', JSON.stringify({ ciphertext: base64(16) })],
    ['no ciphertext', JSON.stringify({ nonce: base64(24) })],
    ['a nonce too short', JSON.stringify({ nonce: base64(23), ciphertext: base64(16) })],
    ['a nonce too long', JSON.stringify({ nonce: base64(25), ciphertext: base64(16) })],
    ['a ciphertext too short', JSON.stringify({ nonce: base64(24), ciphertext: base64(15) })],
    ['a nonce that is no text', JSON.stringify({ nonce: 7, ciphertext: base64(16) })],
    ['a ciphertext that is no text', JSON.stringify({ nonce: base64(24), ciphertext: null })],
    ['a ciphertext that is not base64', JSON.stringify({ nonce: base64(24), ciphertext: '!'.repeat(40) })],
  ])('refuses %s', async (_, data) => {
    const server = await startServer();
    const client = await connect(server);
    await client.join(channel);
    const body = { name: 'e', channel, data };
    expect(await request(server, 'POST', '/events', { body })).toMatchObject({
      status: 400,
      body: { error: NOT_SEALED, status: 400, code: 'not_encrypted' },
    });
    expect(await client.nothing()).toEqual(channel.includes('cache') ? [frames.cacheMiss(channel)] : []);
  });

  test('takes no client events', async () => {
    const client = await connect(await startServer());
    await client.join(channel);
    if (channel.includes('cache')) await client.next();
    client.trigger(channel, 'client-e', JSON.parse(sealed));
    expect(await client.next()).toBe(
      frames.error(
        null,
        'Client event rejected: only private and presence channels that are not encrypted take them',
        'channel_not_allowed',
      ),
    );
  });
});

test.each([
  [[CHANNEL, 'private-encrypted-other']],
  [[CHANNEL, 'news']],
  [['news', 'private-encrypted-cache-bla']],
])('one event cannot go to %j: their keys differ', async (channels) => {
  const server = await startServer();
  const client = await connect(server);
  await client.join('news');
  const body = { name: 'e', channels, data: sealed };
  expect(await request(server, 'POST', '/events', { body })).toMatchObject({ status: 400 });
  expect(await client.nothing()).toEqual([]);
});

test('the same channel named twice is one channel', async () => {
  const server = await startServer();
  const body = { name: 'e', channels: [CHANNEL, CHANNEL], data: sealed };
  expect(await request(server, 'POST', '/events', { body })).toMatchObject({ status: 200 });
});

test('a batch may hold events for several encrypted channels, each in its own item', async () => {
  const server = await startServer();
  const client = await connect(server);
  await client.join(CHANNEL);
  await client.join('news');
  await publishBatch(server, [
    { channel: CHANNEL, name: 'e', data: sealed },
    { channel: 'private-encrypted-other', name: 'e', data: sealed },
    { channel: 'news', name: 'e', data: 'in the clear' },
  ]);
  expect(await client.next()).toBe(frames.event('e', CHANNEL, sealed));
  expect(await client.next()).toBe(frames.event('e', 'news', 'in the clear'));
});

test('a batch with one event in the clear is refused as a whole', async () => {
  const server = await startServer();
  const client = await connect(server);
  await client.join('news');
  const batch = [
    { channel: 'news', name: 'e', data: 'fine' },
    { channel: CHANNEL, name: 'e', data: 'in the clear' },
  ];
  expect(await request(server, 'POST', '/batch_events', { body: { batch } })).toMatchObject({
    status: 400,
    body: { error: NOT_SEALED.replace('"data"', '"batch[1].data"') },
  });
  expect(await client.nothing()).toEqual([]);
});

test('presence channels cannot be encrypted, whatever their name', async () => {
  const server = await startServer();
  const client = await connect(server);
  await client.join('presence-encrypted-bla', { user_id: 'ann' });
  await publish(server, 'presence-encrypted-bla', 'e', 'in the clear');
  expect(await client.next()).toBe(frames.event('e', 'presence-encrypted-bla', 'in the clear'));
});

test('what the SDK encrypts is opened with the secret that the SDK gave out', async () => {
  const server = await startServer();
  const client = await connect(server);
  const { id: appId, key, secret } = APP;
  const options = { appId, key, secret, port: server.port, useTLS: false };
  const sdk = new Countersign({ ...options, encryptionMasterKeyBase64: MASTER_KEY });
  const { auth, shared_secret: sharedSecret } = sdk.authorizeChannel(client.socketId, CHANNEL);
  client.subscribe(CHANNEL, { auth });
  expect(await client.next()).toBe(frames.subscribed(CHANNEL));
  await sdk.trigger(CHANNEL, 'e', { message: 'hello 漢字 🚀' });

  const received = String(await client.next());
  expect(received).not.toContain('hello');
  const { nonce, ciphertext } = JSON.parse(JSON.parse(received).data);
  const [box, nonceBytes, keyBytes] = [ciphertext, nonce, sharedSecret].map((text) =>
    Buffer.from(text, 'base64'),
  );
  const opened = nacl.secretbox.open(box!, nonceBytes!, keyBytes!);
  expect(Buffer.from(opened!).toString()).toBe('{"message":"hello 漢字 🚀"}');
});
