import { Countersign } from '@countersign/sdk-server';
import {
  bodyMd5,
  canonicalQuery,
  channelText,
  requestText,
  sign,
  userText,
  verify,
} from '@countersign/sdk-server/signature';
import Pusher from 'pusher';
import nacl from 'tweetnacl';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { read, startRecorder } from '../helpers/brokers/recorder.ts';
import {
  acceptedChannels,
  app,
  boxVectors,
  channelVectors,
  EMPTY_BODY_MD5,
  forgeries,
  MASTER_KEY,
  NONCE,
  P4_CHANNEL_DATA_HEX,
  parametersOf,
  refusedChannels,
  refusedSocketIds,
  requestVectors,
  secretVectors,
  TIMESTAMP,
  targetOf,
  unsortedRequest,
  userVectors,
  webhookVectors,
} from './vectors.ts';

const credentials = { appId: app.id, key: app.key, secret: app.secret };
const countersign = new Countersign({ ...credentials, encryptionMasterKeyBase64: MASTER_KEY });
const official = new Pusher({ ...credentials, cluster: 'mt1', encryptionMasterKeyBase64: MASTER_KEY });
const ours = channelVectors.filter(({ foreign }) => !foreign);

afterEach(() => {
  vi.useRealTimers();
});

describe('channel authorization', () => {
  test.each(channelVectors)('$id is signed and verified', ({ socketId, channel, channelData, signature }) => {
    const text = channelText(socketId, channel, channelData);
    expect(sign(app.secret, text)).toBe(signature);
    expect(verify(app.secret, text, signature)).toBe(true);
  });

  test.each(ours)('$id is what authorizeChannel and the official library answer', (vector) => {
    const { socketId, channel, channelData, signature } = vector;
    const data = channelData === undefined ? undefined : JSON.parse(channelData);
    const grant = countersign.authorizeChannel(socketId, channel, data);
    expect(grant.auth).toBe(`${app.key}:${signature}`);
    expect(grant.channel_data).toBe(channelData);
    expect(official.authorizeChannel(socketId, channel, data)).toEqual(grant);
  });

  test('P4 signs these very bytes', () => {
    const { channelData = '' } = channelVectors.find(({ id }) => id === 'P4')!;
    expect(Buffer.from(channelData).toString('hex')).toBe(P4_CHANNEL_DATA_HEX);
  });

  test('an empty channel_data is none', () => {
    expect(channelText('1.1', 'private-a', '')).toBe('1.1:private-a');
  });
});

describe('user authentication', () => {
  test.each(userVectors)('$id is signed by everyone alike', ({ socketId, userData, signature }) => {
    expect(sign(app.secret, userText(socketId, userData))).toBe(signature);
    const grant = countersign.authenticateUser(socketId, JSON.parse(userData));
    expect(grant).toEqual({ auth: `${app.key}:${signature}`, user_data: userData });
    expect(official.authenticateUser(socketId, JSON.parse(userData))).toEqual(grant);
  });
});

describe('forged inputs', () => {
  test.each(forgeries)('$id is never signed', ({ socketId, channel, text, signature }) => {
    expect(sign(app.secret, text)).toBe(signature);
    expect(text).toBe(`${socketId}:${channel}`);
    expect(() => countersign.authorizeChannel(socketId, channel)).toThrow(
      /^Invalid (socket id|channel name)/,
    );
  });

  test.each(refusedSocketIds)('socket id %j is refused everywhere', async (socketId) => {
    const refusal = expect.objectContaining({ code: 'invalid_socket_id' });
    expect(() => countersign.authorizeChannel(socketId, 'private-a')).toThrow(refusal);
    expect(() => countersign.authenticateUser(socketId, { id: '7' })).toThrow(refusal);
    await expect(countersign.trigger('a', 'e', '', { socketId })).rejects.toThrow(refusal);
    await expect(countersign.trigger('a', 'e', '', { socket_id: socketId })).rejects.toThrow(refusal);
    const batch = [{ channel: 'a', name: 'e', data: '', socketId }];
    await expect(countersign.triggerBatch(batch)).rejects.toThrow(refusal);
  });

  test.each(refusedChannels)('channel %j is refused everywhere', async (channel) => {
    const refusal = expect.objectContaining({ code: 'invalid_channel' });
    expect(() => countersign.authorizeChannel('1.1', channel)).toThrow(refusal);
    await expect(countersign.trigger(channel, 'e', '')).rejects.toThrow(refusal);
    await expect(countersign.trigger(['a', channel], 'e', '')).rejects.toThrow(refusal);
    await expect(countersign.triggerBatch([{ channel, name: 'e', data: '' }])).rejects.toThrow(refusal);
    await expect(countersign.channel(channel)).rejects.toThrow(refusal);
    await expect(countersign.presenceMembers(channel)).rejects.toThrow(refusal);
  });

  test.each(acceptedChannels)('channel %j is accepted', async (channel) => {
    const broker = await startRecorder();
    const client = new Countersign({ ...credentials, port: broker.port });
    await client.trigger(channel, 'e', '');
    expect(JSON.parse(broker.requests[0]!.body).channels).toEqual([channel]);
  });
});

describe('HTTP requests', () => {
  test.each(requestVectors)('$id is signed', ({ method, path, query, body, signature }) => {
    const parameters = parametersOf(query);
    const text = requestText(method, path, canonicalQuery(parameters.toReversed()));
    // Parameters of one name keep the order in which they are sent.
    const areNamesDistinct = new Set(parameters.map(([name]) => name)).size === parameters.length;
    if (areNamesDistinct) expect(text).toBe(`${method}\n${path}\n${query}`);
    expect(sign(app.secret, requestText(method, path, canonicalQuery(parameters)))).toBe(signature);
    const md5 = parameters.find(([name]) => name === 'body_md5')?.[1];
    expect(md5).toBe(body === undefined && md5 === undefined ? undefined : bodyMd5(body ?? ''));
  });

  test('H16 verifies in sorted order only', () => {
    const { method, path, sorted, unsorted } = unsortedRequest;
    const text = requestText(method, path, canonicalQuery(parametersOf(unsorted.query)));
    expect(text).toBe(`${method}\n${path}\n${sorted.query}`);
    expect(verify(app.secret, text, sorted.signature)).toBe(true);
    expect(verify(app.secret, text, unsorted.signature)).toBe(false);
  });

  test('the MD5 of nothing', () => {
    expect(bodyMd5('')).toBe(EMPTY_BODY_MD5);
  });

  test.each(requestVectors.filter(({ foreign }) => !foreign))(
    '$id is what the official library signs',
    ({ method, path, query, body, signature }) => {
      const parameters = parametersOf(query);
      const timestamp = Number(parameters.find(([name]) => name === 'auth_timestamp')?.[1]);
      vi.useFakeTimers({ toFake: ['Date'], now: timestamp * 1000 });
      const params = Object.fromEntries(parameters.filter(([name]) => !/^(auth_|body_md5)/.test(name)));
      const request = { method, path, params, ...(body !== undefined && { body }) };
      expect(official.createSignedQueryString(request)).toBe(`${query}&auth_signature=${signature}`);
    },
  );

  const calls: Record<string, (client: Countersign) => Promise<unknown>> = {
    H2: (client) =>
      client.channels({ filterByPrefix: 'presence-', info: ['user_count', 'subscription_count'] }),
    H3: (client) => client.channels(),
    H4: (client) => client.get({ path: '/channels', params: { filter_by_prefix: 'café 1' } }),
    H5: (client) =>
      client.trigger(
        ['private-a', 'presence-b'],
        'grüße',
        { text: 'Zoë 🚀' },
        {
          socketId: '98765.43210',
          info: 'subscription_count,user_count',
        },
      ),
    H6: (client) =>
      client.triggerBatch([
        { channel: 'a', name: 'e1', data: { n: 1 } },
        { channel: 'presence-b', name: 'e2', data: 'x', info: ['user_count'] },
      ]),
    H7: (client) => client.terminateUserConnections('zoe-7'),
    H8: (client) => client.presenceMembers('presence-b'),
    H9: (client) => client.channel('presence-b', { info: 'user_count' }),
  };

  test.each(Object.keys(calls))('%s is what the SDK sends', async (id) => {
    const vector = requestVectors.find((request) => request.id === id)!;
    const broker = await startRecorder();
    const client = new Countersign({ ...credentials, port: broker.port, now: () => TIMESTAMP * 1000 + 999 });
    await calls[id]!(client);
    const [request] = broker.requests;
    const { path, params, valid } = read(request!, app.secret);
    expect({ method: request!.method, path }).toEqual({ method: vector.method, path: vector.path });
    expect(valid).toBe(true);
    // Each publish has a key of its own, which no vector can have.
    expect(request!.body.replace(/,"idempotency_key":"[^"]{1,128}"/g, '')).toBe(vector.body ?? '');
    if (vector.body !== undefined) return;
    expect(new Set(request!.target.split(/[?&]/))).toEqual(new Set(targetOf(vector).split(/[?&]/)));
    expect(params.get('auth_signature')).toBe(vector.signature);
  });
});

describe('webhooks', () => {
  test.each(webhookVectors)(
    '$id is valid for everyone, as text and as bytes',
    ({ key, secret, body, signature }) => {
      const headers = {
        'content-type': 'application/json',
        'x-pusher-key': key,
        'x-pusher-signature': signature,
      };
      for (const rawBody of [body, Buffer.from(body)]) {
        expect(sign(secret, rawBody)).toBe(signature);
        const webhook = countersign.webhook({ headers, rawBody });
        expect(webhook.isValid({ key, secret })).toBe(true);
        expect(webhook.isValid()).toBe(key === app.key);
        expect(webhook.data()).toEqual(JSON.parse(body));
      }
      expect(official.webhook({ headers, rawBody: body }).isValid({ key, secret })).toBe(true);
    },
  );
});

describe('encryption', () => {
  test.each(secretVectors)('$id is the shared secret of $channel', ({ masterKey, channel, secret }) => {
    const encryption = { encryptionMasterKeyBase64: masterKey };
    const client = new Countersign({ ...credentials, ...encryption });
    expect(client.authorizeChannel('1.1', channel).shared_secret).toBe(secret);
    const pusher = new Pusher({ ...credentials, cluster: 'mt1', ...encryption });
    expect(pusher.authorizeChannel('1.1', channel).shared_secret).toBe(secret);
  });

  const key = Buffer.from(secretVectors[0]!.secret, 'base64');
  const nonce = Buffer.from(NONCE, 'base64');

  test.each(boxVectors)('$id is sealed and opened', ({ plaintext, ciphertext }) => {
    const box = nacl.secretbox(Buffer.from(plaintext), nonce, key);
    expect(Buffer.from(box).toString('base64')).toBe(ciphertext);
    const opened = nacl.secretbox.open(Buffer.from(ciphertext, 'base64'), nonce, key);
    expect(Buffer.from(opened!).toString()).toBe(plaintext);
  });

  test('B4 with its first bit flipped does not open', () => {
    const box = Buffer.from(boxVectors[3]!.ciphertext, 'base64');
    box[0]! ^= 0x80;
    expect(nacl.secretbox.open(box, nonce, key)).toBeNull();
  });

  test.each(boxVectors.filter(({ plaintext }) => plaintext !== ''))(
    '$id published by the SDK is the same box under a nonce of its own',
    async ({ plaintext }) => {
      const broker = await startRecorder();
      const client = new Countersign({
        ...credentials,
        port: broker.port,
        encryptionMasterKeyBase64: MASTER_KEY,
      });
      await client.trigger('private-encrypted-bla', 'e', JSON.parse(plaintext));
      await client.trigger('private-encrypted-bla', 'e', JSON.parse(plaintext));
      const sent = broker.requests.map(({ body }) => JSON.parse(JSON.parse(body).data));
      expect(sent[0].nonce).not.toBe(sent[1].nonce);
      for (const { nonce, ciphertext } of sent) {
        const box = nacl.secretbox(Buffer.from(plaintext), Buffer.from(nonce, 'base64'), key);
        expect(ciphertext).toBe(Buffer.from(box).toString('base64'));
      }
    },
  );
});
