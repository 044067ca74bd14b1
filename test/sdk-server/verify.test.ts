import {
  Countersign,
  type CountersignError,
  sign,
  type VerifyOptions,
  type Webhook,
  type WebhookEvent,
  type WebhookParts,
} from '@countersign/sdk-server';
import { signWebhook, webhookText } from '@countersign/sdk-server/signature';
import express, { type RequestHandler } from 'express';
import Pusher from 'pusher';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { listen } from '../helpers/brokers/recorder.ts';
import { app } from '../packages/vectors.ts';

const credentials = { appId: app.id, key: app.key, secret: app.secret };
const other = { key: 'other', secret: 'other-secret' };
const SENT = 1_700_000_000_000;
const countersign = new Countersign({ ...credentials, now: () => SENT });
const event = { name: 'channel_occupied', channel: 'news', id: 'e1', at: SENT, seq: 1 };
const BODY = JSON.stringify({ time_ms: SENT, events: [{ ...event, at: String(SENT), seq: '1' }] });

interface Delivery {
  readonly id?: string;
  readonly timestamp?: number | string;
  readonly body?: string;
  /** Who signs by the Standard Webhooks specification. */
  readonly secrets?: readonly string[];
}

/** A webhook as Countersign sends it. */
function delivery({ id = 'msg_1', timestamp = SENT / 1000, body = BODY, secrets }: Delivery = {}) {
  const text = webhookText(id, timestamp, body);
  return {
    headers: {
      'content-type': 'application/json',
      'x-pusher-key': app.key,
      'x-pusher-signature': sign(app.secret, body),
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': (secrets ?? [app.secret]).map((secret) => signWebhook(secret, text)).join(' '),
    },
    rawBody: body,
  };
}

/** A webhook as other brokers of the protocol send it. */
function plain(body = JSON.stringify({ time_ms: SENT, events: [{ name: 'cache_miss', channel: 'a' }] })) {
  const {
    'content-type': type,
    'x-pusher-key': key,
    'x-pusher-signature': signature,
  } = delivery({ body }).headers;
  return {
    headers: { 'content-type': type, 'x-pusher-key': key, 'x-pusher-signature': signature },
    rawBody: body,
  };
}

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'verified',
    (error: CountersignError) => error.code,
  );
}

const verify = (parts: WebhookParts, options?: VerifyOptions) =>
  codeOf(countersign.webhook(parts).verify(options));

describe('verify', () => {
  test('resolves with the webhook, which may then be believed', async () => {
    const webhook = countersign.webhook(delivery());
    expect(await webhook.verify()).toBe(webhook);
    expect(webhook.id).toBe('msg_1');
    expect(webhook.events()).toEqual([event]);
  });

  test('takes the numbers of events as texts, and as numbers', async () => {
    const body = JSON.stringify({ time_ms: SENT, events: [event] });
    expect((await countersign.webhook(delivery({ body })).verify()).events()).toEqual([event]);
  });

  test.each(['', '1.5', '-1', '1e3', ' 1', '99999999999999999', 1.5, null, true])(
    'refuses an event whose seq is %j',
    async (seq) => {
      const body = JSON.stringify({ time_ms: SENT, events: [{ ...event, seq }] });
      expect(await verify(delivery({ body }))).toBe('malformed');
    },
  );

  test('accepts what the official libraries of both formats accept', async () => {
    const { headers, rawBody } = delivery();
    const now = Math.floor(Date.now() / 1000);
    const fresh = delivery({ timestamp: now });
    expect(await verify({ headers, rawBody })).toBe('verified');
    const official = new Pusher({ ...credentials, cluster: 'mt1' });
    expect(official.webhook({ headers, rawBody }).isValid()).toBe(true);
    const standard = new StandardWebhook(app.secret, { format: 'raw' });
    expect(standard.verify(fresh.rawBody, fresh.headers)).toEqual(JSON.parse(BODY));
  });

  test('accepts what the Standard Webhooks library signs', async () => {
    const standard = new StandardWebhook(app.secret, { format: 'raw' });
    const { headers, rawBody } = delivery();
    const signature = standard.sign('msg_1', new Date(SENT), BODY);
    expect(await verify({ rawBody, headers: { ...headers, 'webhook-signature': signature } })).toBe(
      'verified',
    );
  });

  test('accepts brokers that send X-Pusher headers only', async () => {
    const webhook = await countersign.webhook(plain()).verify();
    expect(webhook.id).toBe(plain().headers['x-pusher-signature']);
  });

  test.each([
    ['the live key among others', [other.secret, app.secret], {}, 'verified'],
    ['an unknown key only', [other.secret], {}, 'bad_signature'],
    ['a further key that is accepted', [other.secret], { keys: other }, 'verified'],
    ['none', [], {}, 'bad_signature'],
  ])('a Standard Webhooks signature by %s: %s', async (_, secrets, options, outcome) => {
    expect(await verify(delivery({ secrets }), options)).toBe(outcome);
  });

  test('X-Pusher-Key must name a key that is accepted, in options or arguments', async () => {
    const { headers, rawBody } = delivery();
    const given = { ...headers, 'x-pusher-key': other.key, 'x-pusher-signature': sign(other.secret, BODY) };
    expect(await verify({ headers: given, rawBody })).toBe('unknown_key');
    expect(await verify({ headers: given, rawBody }, { keys: [other] })).toBe('verified');
    expect(await verify({ headers: given, rawBody }, { keys: [{ ...other, secret: 'x' }] })).toBe(
      'bad_signature',
    );
    const rotating = new Countersign({ ...credentials, additionalKeys: [other], now: () => SENT });
    expect(await codeOf(rotating.webhook({ headers: given, rawBody }).verify())).toBe('verified');
  });

  const forged: [what: string, headers: Record<string, string | undefined>][] = [
    ['another id', { 'webhook-id': 'msg_2' }],
    ['another time', { 'webhook-timestamp': String(SENT / 1000 + 1) }],
    ['no id', { 'webhook-id': undefined }],
    ['no time', { 'webhook-timestamp': undefined }],
    ['no Standard Webhooks signature', { 'webhook-signature': undefined }],
    ['an asymmetric signature', { 'webhook-signature': 'v1a,AAAA' }],
    [
      'no Standard Webhooks headers, though its events are numbered',
      { 'webhook-id': undefined, 'webhook-timestamp': undefined, 'webhook-signature': undefined },
    ],
    ['another X-Pusher-Signature', { 'x-pusher-signature': '0'.repeat(64) }],
  ];

  test.each(forged)('refuses %s', async (_, changes) => {
    const { headers, rawBody } = delivery();
    expect(await verify({ headers: { ...headers, ...changes }, rawBody })).toBe('bad_signature');
  });

  test.each([
    [0, {}, 'verified'],
    [300_000, {}, 'verified'],
    [-300_000, {}, 'verified'],
    [300_001, {}, 'stale'],
    [-300_001, {}, 'stale'],
    [10_001, { tolerance: 10 }, 'stale'],
    [1e9, { tolerance: 1e9 }, 'verified'],
    [0, { tolerance: Number.NaN }, 'invalid_options'],
    [0, { tolerance: -1 }, 'invalid_options'],
  ])('%i ms after it was sent, with %j: %s', async (age, options, outcome) => {
    const late = new Countersign({ ...credentials, now: () => SENT + age });
    expect(await codeOf(late.webhook(delivery()).verify(options))).toBe(outcome);
    expect(await codeOf(late.webhook(plain()).verify(options))).toBe(outcome);
  });

  test('measures the older of both times', async () => {
    expect(await verify(delivery({ timestamp: SENT / 1000 - 301 }))).toBe('stale');
    expect(await verify(delivery({ timestamp: '17e8' }))).toBe('bad_signature');
  });

  test('refuses what seen has seen, and asks it for nothing that is not genuine', async () => {
    const asked: string[] = [];
    const seen = async (id: string) => asked.push(id) > 1;
    expect(await verify({ ...delivery(), rawBody: '{}' }, { seen })).toBe('bad_signature');
    expect(asked).toEqual([]);
    expect(await verify(delivery(), { seen })).toBe('verified');
    expect(await verify(delivery(), { seen })).toBe('replayed');
    expect(asked).toEqual(['msg_1', 'msg_1']);
    expect(await verify(delivery(), { seen: () => undefined as never })).toBe('invalid_options');
  });

  test('tells the kinds of events apart by name', () => {
    const told = (happening: WebhookEvent): string => {
      switch (happening.name) {
        case 'channel_occupied':
        case 'channel_vacated':
        case 'cache_miss':
          return happening.channel;
        case 'member_added':
        case 'member_removed':
          return `${happening.channel} ${happening.user_id}`;
        case 'client_event':
          expectTypeOf(happening.socket_id).toEqualTypeOf<string>();
          return happening.data;
        case 'subscription_count':
          return String(happening.subscription_count);
        case 'user_online':
        case 'user_offline':
          expectTypeOf(happening.seq).toEqualTypeOf<number | undefined>();
          return happening.user_id;
        case 'grant_expired':
        case 'grant_revoked':
          return happening.grant_id ?? happening.socket_id;
        case 'quota_warning':
          return `${happening.quota} ${happening.used / happening.limit}`;
        case 'test':
          return happening.id ?? '';
      }
    };
    expect(countersign.webhook(delivery()).events().map(told)).toEqual(['news']);
  });
});

describe('a request of Node or Express', () => {
  /** Sends a webhook to an Express app, and answers what verify makes of it. */
  async function post(before: RequestHandler[], send: Parameters<typeof fetch>[1] = {}) {
    const outcomes: string[] = [];
    const webhooks: Webhook[] = [];
    const server = express();
    for (const handler of before) server.use(handler);
    server.post('/', async (req, res) => {
      const webhook = countersign.webhook(req);
      webhooks.push(webhook);
      outcomes.push(await codeOf(webhook.verify()), await codeOf(webhook.verify()));
      res.sendStatus(204);
    });
    const port = await listen(server);
    const { headers, rawBody } = delivery();
    const url = `http://127.0.0.1:${port}/`;
    const { status } = await fetch(url, { method: 'POST', headers, body: rawBody, ...send });
    return { status, outcomes, webhook: webhooks[0]! };
  }

  const VERIFIED = { status: 204, outcomes: ['verified', 'verified'] };
  const everything = () => true;
  const keeping = express.json({ verify: (req, _, bytes) => void Object.assign(req, { rawBody: bytes }) });

  test.each<[what: string, before: RequestHandler[]]>([
    ['a body that is still to be read', []],
    ['a parser that it is not for', [express.urlencoded()]],
    ['express.raw', [express.raw({ type: everything })]],
    ['express.text', [express.text({ type: everything })]],
    ['express.json that keeps rawBody', [keeping]],
  ])('with %s is verified', async (_, before) => {
    const { webhook, ...answer } = await post(before);
    expect(answer).toEqual(VERIFIED);
    expect(webhook.isValid()).toBe(true);
    expect(webhook.events()).toEqual([event]);
  });

  test.each<[what: string, before: RequestHandler[]]>([
    ['express.json', [express.json()]],
    ['something that read it and kept nothing', [(req, _, next) => void req.resume().on('end', next)]],
  ])('after %s was parsed', async (_, before) => {
    const { outcomes } = await post(before);
    expect(outcomes).toEqual(['body_was_parsed', 'body_was_parsed']);
  });

  test('with too large a body is refused, whether or not it says so, and answered', async () => {
    const body = 'x'.repeat(1_048_577);
    expect(await post([], { body })).toMatchObject({ status: 204, outcomes: ['too_large', 'too_large'] });
    const chunks = new Blob([body]).stream();
    const streamed = { body: chunks, duplex: 'half' } as RequestInit;
    expect(await post([], streamed)).toMatchObject({ status: 204, outcomes: ['too_large', 'too_large'] });
  });
});

describe('a request of fetch', () => {
  const requestOf = (body: string | null = BODY) =>
    new Request('http://localhost/', { method: 'POST', headers: delivery().headers, body });

  test('is verified', async () => {
    const webhook = countersign.webhook(requestOf());
    expect(await codeOf(webhook.verify())).toBe('verified');
    expect(webhook.data()).toEqual({ time_ms: SENT, events: [event] });
  });

  test('is refused without a body, with another, too large, or read before', async () => {
    const read = requestOf();
    await read.text();
    const outcomes = [requestOf(null), requestOf('{}'), requestOf('x'.repeat(1_048_577)), read].map(
      (request) => codeOf(countersign.webhook(request).verify()),
    );
    expect(await Promise.all(outcomes)).toEqual([
      'bad_signature',
      'bad_signature',
      'too_large',
      'body_was_parsed',
    ]);
  });

  test('cannot be read without waiting', () => {
    const webhook = countersign.webhook(requestOf());
    for (const read of [
      () => webhook.isValid(),
      () => webhook.events(),
      () => webhook.data(),
      () => webhook.time(),
    ]) {
      expect(read).toThrow(expect.objectContaining({ code: 'body_not_read' }));
    }
  });
});
