import {
  Countersign,
  type LambdaEvent,
  sign,
  WebhookError,
  type WebhookParts,
} from '@countersign/sdk-server';
import Pusher from 'pusher';
import { describe, expect, test } from 'vitest';
import { app, webhookVectors } from '../packages/vectors.ts';

const credentials = { appId: app.id, key: app.key, secret: app.secret };
const SENT = 1_700_000_000_123;
const countersign = new Countersign({ ...credentials, now: () => SENT });
const { body, signature } = webhookVectors.find(({ id }) => id === 'W2')!;
const headers = {
  'content-type': 'application/json',
  'x-pusher-key': app.key,
  'x-pusher-signature': signature,
};

function receive(changes: Partial<WebhookParts> = {}) {
  return countersign.webhook({ headers, rawBody: body, ...changes });
}

/** A webhook whose signature is right, whatever it says. */
function signed(rawBody: string | Uint8Array) {
  return receive({ rawBody, headers: { ...headers, 'x-pusher-signature': sign(app.secret, rawBody) } });
}

describe('a webhook', () => {
  test('tells its events, its time and all of its data', () => {
    const webhook = receive();
    expect(webhook.isValid()).toBe(true);
    expect(webhook.time()).toEqual(new Date(SENT));
    expect(webhook.events().map(({ name }) => name)).toEqual([
      'channel_occupied',
      'member_added',
      'client_event',
    ]);
    expect(webhook.data()).toEqual(JSON.parse(body));
    const [, added, client] = webhook.events();
    if (added?.name === 'member_added') expect(added.user_id).toBe('zoë-7');
    if (client?.name === 'client_event') expect(JSON.parse(client.data)).toEqual({ text: 'Ω 🚀' });
    expect.assertions(6);
  });

  const forms: [what: string, headers: WebhookParts['headers']][] = [
    ['headers in lower case', headers],
    [
      'headers in capitals',
      Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toUpperCase(), v])),
    ],
    ['headers of fetch', new Headers(headers)],
    ['headers in lists', Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, [v]]))],
    ['a charset', { ...headers, 'content-type': 'application/json; charset=utf-8' }],
  ];

  test.each(forms)('with %s is valid', (_, given) => {
    expect(receive({ headers: given }).problem()).toBeUndefined();
  });

  const base64 = Buffer.from(body).toString('base64');
  const lambda: [what: string, event: LambdaEvent][] = [
    ['a text', { headers, body, isBase64Encoded: false }],
    ['base64', { headers, body: base64, isBase64Encoded: true }],
    [
      'lists of headers',
      {
        multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, [v]])),
        body: base64,
        isBase64Encoded: true,
      },
    ],
  ];

  test.each(lambda)('of AWS Lambda is valid, with %s', async (_, event) => {
    expect((await countersign.webhook(event).verify()).events()).toHaveLength(3);
  });

  test.each([
    { headers, body: null, isBase64Encoded: false },
    { headers: null, body, isBase64Encoded: false },
    { body: base64, isBase64Encoded: false, headers },
  ])('of AWS Lambda is refused: %j', (event) => {
    expect(countersign.webhook(event).isValid()).toBe(false);
  });

  const wrong: [what: string, changes: Partial<WebhookParts>, code: string][] = [
    ['no signature', { headers: { ...headers, 'x-pusher-signature': undefined } }, 'bad_signature'],
    [
      'a signature in capitals',
      { headers: { ...headers, 'x-pusher-signature': signature.toUpperCase() } },
      'bad_signature',
    ],
    [
      'two signatures',
      { headers: { ...headers, 'x-pusher-signature': [signature, signature] } },
      'bad_signature',
    ],
    ['another body', { rawBody: `${body} ` }, 'bad_signature'],
    ['an empty body', { rawBody: '' }, 'bad_signature'],
    ['no key', { headers: { ...headers, 'x-pusher-key': undefined } }, 'unknown_key'],
    ['an unknown key', { headers: { ...headers, 'x-pusher-key': 'other' } }, 'unknown_key'],
    ['no headers at all', { headers: {} }, 'unknown_key'],
    ['no content type', { headers: { ...headers, 'content-type': undefined } }, 'malformed'],
    [
      'a content type that only starts well',
      { headers: { ...headers, 'content-type': 'application/jsonx' } },
      'malformed',
    ],
  ];

  test.each(wrong)('with %s is not valid', (_, changes, code) => {
    const webhook = receive(changes);
    expect(webhook.isValid()).toBe(false);
    expect(webhook.problem()).toMatchObject({ name: 'WebhookError', code });
  });

  test.each([
    '{',
    '[]',
    'null',
    '{"events":[]}',
    '{"time_ms":1}',
    '{"time_ms":"1","events":[]}',
    '{"time_ms":1,"events":[{}]}',
    '{"time_ms":1,"events":[null]}',
  ])('that says %s is malformed, even if it is signed', (text) => {
    const webhook = signed(text);
    expect(webhook.isValid()).toBe(false);
    for (const read of [() => webhook.data(), () => webhook.events(), () => webhook.time()]) {
      expect(read).toThrow(expect.objectContaining({ code: 'malformed' }));
    }
  });

  test('of bytes that are not UTF-8 is malformed', () => {
    const bytes = Buffer.from('{"time_ms":1,"events":[{"name":"\xff"}]}', 'latin1');
    expect(signed(bytes).problem()).toMatchObject({ code: 'malformed' });
  });

  test('with unknown events is accepted', () => {
    const webhook = signed('{"time_ms":1,"events":[{"name":"brand_new","__proto__":{"a":1}}]}');
    expect(webhook.isValid()).toBe(true);
    expect(webhook.events()[0]?.name).toBe('brand_new');
  });

  test.each([{ events: [] }, undefined, null, 7, []])(
    'whose body is %j was parsed, which is told at once',
    (rawBody) => {
      const parsed = () => receive({ rawBody: rawBody as unknown as string });
      expect(parsed).toThrow(WebhookError);
      expect(parsed).toThrow(
        expect.objectContaining({ code: 'body_was_parsed', message: expect.stringMatching(/express\.json/) }),
      );
    },
  );
});

describe('several keys', () => {
  const { key, secret, body: rawBody, signature: other } = webhookVectors[0]!;
  const given = { 'content-type': 'application/json', 'x-pusher-key': key, 'x-pusher-signature': other };

  test('are accepted as options and as arguments', () => {
    const client = new Countersign({ ...credentials, additionalKeys: [{ key, secret }] });
    expect(client.webhook({ headers: given, rawBody }).isValid()).toBe(true);
    expect(receive({ headers: given, rawBody }).isValid()).toBe(false);
    expect(receive({ headers: given, rawBody }).isValid({ key, secret })).toBe(true);
    expect(
      receive({ headers: given, rawBody }).isValid([
        { key: 'x', secret: 'x' },
        { key, secret },
      ]),
    ).toBe(true);
  });

  test('each go with their own secret', () => {
    expect(receive({ headers: given, rawBody }).isValid({ key, secret: app.secret })).toBe(false);
    expect(receive({ headers: given, rawBody }).isValid({ key: 'other', secret })).toBe(false);
    const mixed = { ...given, 'x-pusher-key': app.key };
    expect(receive({ headers: mixed, rawBody }).isValid({ key, secret })).toBe(false);
  });

  test('are tried as the official library tries them', () => {
    const official = new Pusher({ ...credentials, cluster: 'mt1' });
    for (const token of [
      { key, secret },
      { key, secret: 'wrong' },
      { key: 'other', secret },
    ]) {
      const theirs = official.webhook({ headers: given, rawBody }).isValid(token);
      expect(receive({ headers: given, rawBody }).isValid(token)).toBe(theirs);
    }
  });
});
