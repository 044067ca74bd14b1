import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Countersign, type WebhookKeys, WebhookReceiver } from '@countersign/sdk-server';
import { webhookRouter } from '@countersign/sdk-server/express';
import { signWebhook, verifyWebhook, webhookSecretKey, webhookText } from '@countersign/sdk-server/signature';
import express from 'express';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { listen } from '../helpers/brokers/recorder.ts';
import { app } from '../packages/vectors.ts';

const SENT = 1_700_000_000_000;
const BODY = JSON.stringify({ time_ms: SENT, events: [{ name: 'cache_miss', channel: 'a', id: 'e1' }] });
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const secret = newSecret();
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const jwks = { keys: [publicKey.export({ format: 'jwk' })] };

/** A webhook as the broker sends it. */
function delivery({ body = BODY, sentAt = SENT, id = 'msg_1' } = {}) {
  const timestamp = String(Math.floor(sentAt / 1000));
  const text = webhookText(id, timestamp, body);
  const signatures = [signWebhook(webhookSecretKey(secret)!, text), signWebhook(privateKey, text)];
  return {
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures.join(' '),
    },
    rawBody: body,
  };
}

describe.each<[what: string, keys: WebhookKeys]>([
  ['a secret', { secret }],
  ['two secrets', { secret: [newSecret(), secret] }],
  ['public keys', { jwks }],
])('with %s, a webhook', (_what, keys) => {
  const receiver = new WebhookReceiver(keys, () => SENT);

  test('is genuine as it was sent', async () => {
    expect(receiver.webhook(delivery()).isValid()).toBe(true);
    expect((await receiver.webhook(delivery()).verify()).id).toBe('msg_1');
  });

  test.each<[what: string, changes: object, code: string]>([
    ['another body', { rawBody: BODY.replace('cache_miss', 'cache_hits') }, 'bad_signature'],
    ['another id', { headers: { ...delivery().headers, 'webhook-id': 'msg_2' } }, 'bad_signature'],
    [
      'another time',
      { headers: { ...delivery().headers, 'webhook-timestamp': '1700000001' } },
      'bad_signature',
    ],
    ['no signature', { headers: { 'content-type': 'application/json' } }, 'bad_signature'],
    ['an empty signature', { headers: { ...delivery().headers, 'webhook-signature': '' } }, 'bad_signature'],
    [
      'signatures under the other version',
      {
        headers: {
          ...delivery().headers,
          'webhook-signature': delivery()
            .headers['webhook-signature'].replace('v1a,', 'v1b,')
            .replace('v1,', 'v2,'),
        },
      },
      'bad_signature',
    ],
    ['another type', { headers: { ...delivery().headers, 'content-type': 'text/plain' } }, 'malformed'],
    ['an old time', delivery({ sentAt: SENT - 301_000 }), 'stale'],
  ])('with %s is refused', async (_change, changes, code) => {
    await expect(receiver.webhook({ ...delivery(), ...changes }).verify()).rejects.toMatchObject({ code });
  });
});

test('a signature of the app is not accepted where the webhook has a secret', async () => {
  const countersign = new Countersign({ appId: app.id, key: app.key, secret: app.secret, now: () => SENT });
  const { headers, rawBody } = delivery();
  const text = webhookText('msg_1', headers['webhook-timestamp'], rawBody);
  const forged = { headers: { ...headers, 'webhook-signature': signWebhook(app.secret, text) }, rawBody };
  await expect(countersign.webhook(forged, { secret }).verify()).rejects.toMatchObject({
    code: 'bad_signature',
  });
});

test('a secret that was forgotten is an error, and never a webhook without one', () => {
  const missing = { secret: undefined } as unknown as WebhookKeys;
  const countersign = new Countersign({ appId: app.id, key: app.key, secret: app.secret });
  for (const attempt of [
    () => new WebhookReceiver(missing),
    () => countersign.webhook(delivery(), missing),
    () => verifyWebhook(missing, Buffer.from(BODY), ''),
  ])
    expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_options' }));
});

test.each<[what: string, keys: unknown]>([
  ['no prefix', { secret: secret.slice('whsec_'.length) }],
  ['23 bytes', { secret: `whsec_${randomBytes(23).toString('base64')}` }],
  ['65 bytes', { secret: `whsec_${randomBytes(65).toString('base64')}` }],
  ['no base64', { secret: `${secret.slice(0, -4)}*===` }],
  ['an empty list', { secret: [] }],
  ['secret beside jwks', { secret, jwks }],
  ['a key set without keys', { jwks: {} }],
  ['a key that is none', { jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA' }] } }],
])('keys with %s are refused, and not shown', (_what, keys) => {
  const attempt = () => new WebhookReceiver(keys as WebhookKeys);
  expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_options' }));
  expect(attempt).not.toThrow(secret.slice('whsec_'.length, -4));
});

test('the library of Standard Webhooks and this one make the same signature', () => {
  const standard = new StandardWebhook(secret).sign('msg_1', new Date(SENT), BODY);
  const text = webhookText('msg_1', SENT / 1000, BODY);
  expect(signWebhook(webhookSecretKey(secret)!, text)).toBe(standard);
  expect(verifyWebhook({ secret }, text, `v1,AAAA ${standard}`)).toBe(true);
  // The vector of the specification of Ed25519 (RFC 8032, 7.1, test 3), which signs two bytes.
  const der = Buffer.from(
    '302e020100300506032b657004220420c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'hex',
  );
  const vector = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  expect(signWebhook(vector, Buffer.from('af82', 'hex'))).toBe(
    `v1a,${Buffer.from(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
      'hex',
    ).toString('base64')}`,
  );
});

test('the router takes the secret, the public keys, or a receiver that has them', async () => {
  const countersign = new Countersign({ appId: app.id, key: app.key, secret: app.secret, now: () => SENT });
  const seen: string[] = [];
  const onEvents = (_events: unknown, { id }: { readonly id: string }) => void seen.push(id);
  const server = express()
    .post('/secret', webhookRouter(countersign, { secret, onEvents }))
    .post('/jwks', webhookRouter(countersign, { jwks, onEvents }))
    .post('/receiver', webhookRouter(new WebhookReceiver({ secret }, () => SENT), { onEvents }))
    .post('/app', webhookRouter(countersign, { onEvents, logger: { info() {}, warn() {}, error() {} } }));
  const url = `http://127.0.0.1:${await listen(server)}`;
  const statuses = [];
  for (const path of ['secret', 'jwks', 'receiver', 'app']) {
    const { headers, rawBody } = delivery({ id: path });
    statuses.push((await fetch(`${url}/${path}`, { method: 'POST', headers, body: rawBody })).status);
  }
  expect(statuses).toEqual([204, 204, 204, 401]);
  expect(seen).toEqual(['secret', 'jwks', 'receiver']);
  expect(() => webhookRouter(countersign, { secret: 'no secret', onEvents })).toThrow(/whsec_/);
});
