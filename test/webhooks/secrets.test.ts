import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Countersign, type WebhookKeySet, WebhookReceiver } from '@countersign/sdk-server';
import { calculateJwkThumbprint, importJWK } from 'jose';
import Pusher from 'pusher';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '#server/config/load';
import { publish, request } from '../helpers/api.ts';
import { startNodeOn } from '../helpers/brokers/configured-node.ts';
import { type Posted, startReceiver } from '../helpers/brokers/receiver.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const newSecret = (bytes = 32) => `whsec_${randomBytes(bytes).toString('base64')}`;
const countersign = new Countersign({ appId: APP.id, key: APP.key, secret: APP.secret });
const pusher = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: '127.0.0.1' });

/** A broker whose one webhook is told of channels. */
async function start(hook: object, config: Readonly<Record<string, unknown>> = {}) {
  const receiver = await startReceiver();
  const webhook = { id: 'backend', url: receiver.url(), events: ['channel_occupied'], ...hook };
  const broker = await startServer({ config, app: { webhooks: [webhook] } });
  const client = await connect(broker);
  /** The request that says that a channel is occupied. */
  const postedFor = async (channel: string) => {
    await client.join(channel);
    return receiver.next();
  };
  return { broker, receiver, webhook, postedFor };
}

/** A file with a new key, as `openssl genpkey -algorithm ed25519` makes it. */
function newKeyFile(): string {
  const file = join(newFolder(), 'key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return file;
}

async function keySet({ url }: { readonly url: string }): Promise<WebhookKeySet> {
  const response = await fetch(`${url}/apps/${APP.id}/webhooks/keys`);
  expect(response.status).toBe(200);
  return (await response.json()) as WebhookKeySet;
}

/** Checks a request as the official library of Standard Webhooks does. */
function verifyStandard(secret: string, { headers, rawBody }: Posted, format?: 'raw'): void {
  new Webhook(secret, format && { format }).verify(rawBody, headers as Record<string, string>);
}

function verifySdk(posted: Posted, keys: Parameters<Countersign['webhook']>[1]) {
  return countersign.webhook(posted, keys).verify();
}

describe('a webhook with a secret of its own', () => {
  test('is signed with that, and with nothing that the secret of the app verifies', async () => {
    const secret = newSecret();
    const { postedFor } = await start({ secret });
    const posted = await postedFor('news');
    verifyStandard(secret, posted);
    expect(() => verifyStandard(APP.secret, posted, 'raw')).toThrow('No matching signature');
    expect(posted.headers['webhook-signature']).toMatch(/^v1,\S{44}$/);
    expect(Object.keys(posted.headers).filter((name) => name.startsWith('x-pusher'))).toEqual([]);
    expect(pusher.webhook(posted).isValid()).toBe(false);

    expect((await verifySdk(posted, { secret })).events()).toMatchObject([{ channel: 'news' }]);
    expect((await countersign.webhook(posted).verify({ secret })).events()).toHaveLength(1);
    expect((await new WebhookReceiver({ secret }).webhook(posted).verify()).events()).toHaveLength(1);
    await expect(verifySdk(posted, { secret: newSecret() })).rejects.toMatchObject({ code: 'bad_signature' });
    await expect(countersign.webhook(posted).verify()).rejects.toMatchObject({ code: 'unknown_key' });
    const forged = { ...posted, rawBody: posted.rawBody.replace('news', 'fake') };
    await expect(verifySdk(forged, { secret })).rejects.toMatchObject({ code: 'bad_signature' });
  });

  test.each([24, 64])('may have a secret of %i bytes', async (bytes) => {
    const secret = newSecret(bytes);
    const { postedFor } = await start({ secret });
    verifyStandard(secret, await postedFor('news'));
  });

  test('has the headers of the Channels protocol too where it asks for them', async () => {
    const secret = newSecret();
    const { postedFor } = await start({ secret, pusherSignature: true });
    const posted = await postedFor('news');
    expect(pusher.webhook(posted).isValid()).toBe(true);
    verifyStandard(secret, posted);
    expect(() => verifyStandard(APP.secret, posted, 'raw')).toThrow('No matching signature');
  });

  test('changes its secret without a delivery that a receiver cannot verify', async () => {
    const [before, after] = [newSecret(), newSecret()];
    const { broker, webhook, postedFor } = await start({ secret: before });
    const reload = (hook: object) => {
      const { secret: _, ...rest } = webhook as { secret?: string };
      broker.reload(configOf({ app: { webhooks: [{ ...rest, ...hook }] } }).apps);
    };
    verifyStandard(before, await postedFor('one'));
    reload({ secrets: [before, after] });
    const both = await postedFor('two');
    expect(both.headers['webhook-signature']).toMatch(/^v1,\S{44} v1,\S{44}$/);
    for (const secret of [before, after]) {
      verifyStandard(secret, both);
      await verifySdk(both, { secret });
    }
    reload({ secret: after });
    const last = await postedFor('three');
    await verifySdk(last, { secret: [before, after] });
    await expect(verifySdk(last, { secret: before })).rejects.toMatchObject({ code: 'bad_signature' });
  });
});

describe('a webhook that the key of the broker signs', () => {
  test('is verified with public keys that anybody may read', async () => {
    const data = newFolder();
    const { broker, postedFor } = await start({ signature: 'ed25519' }, { data });
    const posted = await postedFor('news');
    expect(posted.headers['webhook-signature']).toMatch(/^v1a,\S{88}$/);
    expect(Object.keys(posted.headers).filter((name) => name.startsWith('x-pusher'))).toEqual([]);

    const jwks = await keySet(broker);
    expect(jwks).toEqual({
      keys: [
        {
          kty: 'OKP',
          crv: 'Ed25519',
          x: expect.stringMatching(/^[\w-]{43}$/),
          kid: expect.stringMatching(/^[\w-]{43}$/),
          alg: 'EdDSA',
          use: 'sig',
        },
      ],
    });
    const [key = {}] = jwks.keys;
    expect(key['kid']).toBe(await calculateJwkThumbprint(key as Parameters<typeof importJWK>[0]));
    // As somebody verifies it who has nothing but a library of cryptography.
    const [id, timestamp] = [posted.headers['webhook-id'], posted.headers['webhook-timestamp']];
    const { subtle } = globalThis.crypto;
    const signature = Buffer.from(String(posted.headers['webhook-signature']).slice('v1a,'.length), 'base64');
    const publicKey = (await importJWK(key as Parameters<typeof importJWK>[0])) as Awaited<
      ReturnType<typeof subtle.importKey>
    >;
    const text = Buffer.from(`${id}.${timestamp}.${posted.rawBody}`);
    expect(await subtle.verify('Ed25519', publicKey, signature, text)).toBe(true);

    expect((await verifySdk(posted, { jwks })).events()).toMatchObject([{ channel: 'news' }]);
    const stranger = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    await expect(verifySdk(posted, { jwks: { keys: [stranger] } })).rejects.toMatchObject({
      code: 'bad_signature',
    });
    await verifySdk(posted, { jwks: { keys: [{ kty: 'RSA' }, stranger, ...jwks.keys] } });
  });

  test('may have a secret beside it: each receiver verifies one of the two', async () => {
    const secret = newSecret();
    const { broker, postedFor } = await start(
      { secret, signature: 'ed25519' },
      { webhookSigningKey: newKeyFile() },
    );
    const posted = await postedFor('news');
    expect(posted.headers['webhook-signature']).toMatch(/^v1,\S{44} v1a,\S{88}$/);
    verifyStandard(secret, posted);
    await verifySdk(posted, { secret });
    await verifySdk(posted, { jwks: await keySet(broker) });
  });

  test('has the same key after a restart, which only the owner may read', async () => {
    const data = newFolder();
    const first = await startServer({ config: { data } });
    const before = await keySet(first);
    await first.close();
    const file = join(data, 'signing-key.pem');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toContain('BEGIN PRIVATE KEY');
    chmodSync(file, 0o644);
    expect(await keySet(await startServer({ config: { data } }))).toEqual(before);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('the list of keys is empty without a key, and no path for other apps and methods', async () => {
    const broker = await startServer();
    expect(await keySet(broker)).toEqual({ keys: [] });
    expect((await fetch(`${broker.url}/apps/nobody/webhooks/keys`)).status).toBe(404);
    const post = await fetch(`${broker.url}/apps/${APP.id}/webhooks/keys`, { method: 'POST' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

describe('where it is delivered from', () => {
  test('workers: the parent signs, and each worker tells the key', async () => {
    const receiver = await startReceiver();
    const hook = { url: receiver.url(), events: ['channel_occupied'], signature: 'ed25519' };
    const group = await startWorkers({ config: { data: newFolder() }, app: { webhooks: [hook] } });
    await (await connect(group)).join('news');
    await verifySdk(await receiver.next(), { jwks: await keySet(group) });
  });

  describe.skipIf(!hasRedis)('nodes on Redis', () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await RedisServer.start();
    });
    afterAll(() => redis.stop());

    test('that share the key file: whichever delivers, every node has its public half', async () => {
      const receiver = await startReceiver();
      const hook = { url: receiver.url(), events: ['channel_occupied'], signature: 'ed25519' };
      const settings = { config: { webhookSigningKey: newKeyFile() }, app: { webhooks: [hook] } };
      const nodes = await Promise.all([
        startNodeOn({ url: redis.url }, settings),
        startNodeOn({ url: redis.url }, settings),
      ]);
      const [one, other] = await Promise.all(nodes.map(keySet));
      expect(one).toEqual(other);
      for (const [index, node] of nodes.entries()) {
        await (await connect(node)).join(`news-${index}`);
        await verifySdk(await receiver.next(), { jwks: one! });
      }
    });
  });
});

describe('the configuration', () => {
  const parse =
    (hook: object, config: Readonly<Record<string, unknown>> = {}) =>
    () =>
      configOf({
        config,
        app: { webhooks: [{ url: 'https://a.example', events: ['cache_miss'], ...hook }] },
      });
  const wrongSecret = /webhooks\[0\]\.secret.*expected "whsec_" and the base64 of 24 to 64 bytes/;

  test.each<[what: string, hook: object, config: Readonly<Record<string, unknown>>, says: RegExp]>([
    ['a secret without its prefix', { secret: randomBytes(32).toString('base64') }, {}, wrongSecret],
    ['a short secret', { secret: newSecret(23) }, {}, wrongSecret],
    ['a long secret', { secret: newSecret(65) }, {}, wrongSecret],
    ['a secret that is no base64', { secret: `whsec_${'*'.repeat(44)}` }, {}, wrongSecret],
    ['a secret in base64url', { secret: `whsec_${'-_-_'.repeat(11)}` }, {}, wrongSecret],
    [
      'secret beside secrets',
      { secret: newSecret(), secrets: [newSecret()] },
      {},
      /either secret or secrets/,
    ],
    ['no secret in secrets', { secrets: [] }, {}, /webhooks\[0\]\.secrets/],
    ['another signature', { signature: 'rsa' }, {}, /webhooks\[0\]\.signature/],
    ['ed25519 without a key', { signature: 'ed25519' }, {}, /webhooks\[0\]\.signature.*webhookSigningKey/],
    [
      'ed25519 on Redis without a key file',
      { signature: 'ed25519' },
      { redis: { url: 'redis://127.0.0.1' } },
      /webhookSigningKey/,
    ],
  ])('refuses %s', (_what, hook, config, says) => {
    expect(parse(hook, config)).toThrow(says);
  });

  test('never shows a secret that it refuses', () => {
    const secret = newSecret(65);
    expect(parse({ secret })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    );
  });

  test.each([
    ['is missing', () => join(newFolder(), 'none.pem'), /webhookSigningKey.*there is no such file/],
    [
      'holds another kind of key',
      () => {
        const file = join(newFolder(), 'rsa.pem');
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
        writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
        return file;
      },
      /webhookSigningKey.*expected an Ed25519 private key in PKCS#8 PEM format/,
    ],
    [
      'is cut off',
      () => {
        const file = newKeyFile();
        writeFileSync(file, readFileSync(file, 'utf8').slice(0, 60));
        return file;
      },
      /webhookSigningKey.*expected an Ed25519 private key/,
    ],
  ])('refuses a key file that %s', async (_what, file, says) => {
    await expect(startServer({ config: { webhookSigningKey: file() } })).rejects.toThrow(says);
  });

  test('the keys of an app still sign a webhook that has none of these settings', async () => {
    const { postedFor } = await start({});
    const posted = await postedFor('news');
    expect(pusher.webhook(posted).isValid()).toBe(true);
    verifyStandard(APP.secret, posted, 'raw');
    await countersign.webhook(posted).verify();
  });

  test('leaves the answers of the HTTP API without secrets', async () => {
    const secret = newSecret();
    const { broker } = await start({ secret });
    const { body } = await request(broker, 'GET', '/webhooks');
    expect(JSON.stringify(body)).not.toContain(secret.slice(6));
    await publish(broker, 'news', 'e', '{}');
    expect(parseConfig({ apps: [] }).webhookSigningKey).toBeUndefined();
  });
});
