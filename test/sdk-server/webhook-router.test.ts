import { Countersign, sign, type Webhook, type WebhookEvent } from '@countersign/sdk-server';
import { type WebhookRouterOptions, webhookRouter } from '@countersign/sdk-server/express';
import express, { type RequestHandler } from 'express';
import { describe, expect, test } from 'vitest';
import { keepLines } from '../helpers/attempt-log.ts';
import { listen } from '../helpers/brokers/recorder.ts';
import { app as example, webhookVectors } from '../packages/vectors.ts';

const SENT = 1_700_000_000_123;
const credentials = { appId: example.id, key: example.key, secret: example.secret };
const countersign = new Countersign({ ...credentials, now: () => SENT });

describe('webhookRouter', () => {
  const { body, key, signature } = webhookVectors.find(({ id }) => id === 'W2')!;
  const headers = {
    'content-type': 'application/json',
    'x-pusher-key': key,
    'x-pusher-signature': signature,
  };

  async function receive(
    options: Partial<WebhookRouterOptions> = {},
    { client = countersign, before = [] }: { client?: Countersign; before?: RequestHandler[] } = {},
  ) {
    const logger = keepLines();
    const events: WebhookEvent[] = [];
    const onEvents = (given: readonly WebhookEvent[]) => void events.push(...given);
    const app = express();
    for (const handler of before) app.use(handler);
    app.use('/webhooks', webhookRouter(client, { onEvents, logger, ...options }));
    const port = await listen(app);
    async function send(sent: RequestInit['body'], given: Record<string, string> = headers) {
      const response = await fetch(`http://127.0.0.1:${port}/webhooks`, {
        method: 'POST',
        body: sent ?? null,
        headers: given,
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
    }
    return { send, events, lines: logger.lines };
  }

  test('hands on the events of a valid webhook', async () => {
    const { send, events, lines } = await receive();
    expect(await send(body)).toEqual({ status: 204, body: undefined });
    expect(events).toEqual(JSON.parse(body).events);
    expect(lines).toEqual([
      { level: 'info', text: 'webhook', address: '127.0.0.1', outcome: 'received', status: 204, events: 3 },
    ]);
  });

  test('works behind parsers that leave the raw body', async () => {
    for (const parser of [
      express.raw({ type: () => true }),
      express.text({ type: () => true }),
      express.urlencoded(),
    ]) {
      const { send } = await receive({}, { before: [parser] });
      expect((await send(body)).status).toBe(204);
    }
  });

  test('responds only when onEvents is done', async () => {
    let done = false;
    const onEvents = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      done = true;
    };
    const { send } = await receive({ onEvents });
    expect((await send(body)).status).toBe(204);
    expect(done).toBe(true);
  });

  test.each([
    ['a bad signature', `${body} `, headers, 401, 'bad_signature'],
    ['no signature', body, { 'content-type': 'application/json', 'x-pusher-key': key }, 401, 'bad_signature'],
    ['an unknown key', body, { ...headers, 'x-pusher-key': 'other' }, 401, 'unknown_key'],
    ['no body', null, headers, 401, 'bad_signature'],
    [
      'a body that is not JSON',
      '{',
      { ...headers, 'x-pusher-signature': sign(example.secret, '{') },
      400,
      'malformed',
    ],
    ['another content type', body, { ...headers, 'content-type': 'text/plain' }, 400, 'malformed'],
    ['a body of more than a megabyte', 'x'.repeat(1_048_577), headers, 413, 'too_large'],
  ])('refuses %s', async (_, sent, given, status, code) => {
    const { send, events, lines } = await receive();
    expect(await send(sent, given)).toMatchObject({ status, body: { code } });
    expect(events).toEqual([]);
    expect(lines).toMatchObject([{ level: 'warn', outcome: 'refused', status, code }]);
  });

  test('refuses what is older than tolerance', async () => {
    const late = new Countersign({ ...credentials, now: () => SENT + 300_001 });
    const { send, events } = await receive({}, { client: late });
    expect(await send(body)).toMatchObject({ status: 401, body: { code: 'stale' } });
    const { send: sendAnyway } = await receive({ tolerance: 301 }, { client: late });
    expect((await sendAnyway(body)).status).toBe(204);
    expect(events).toEqual([]);
  });

  test('hands on a delivery again until it was handled, and then no more', async () => {
    const handled = new Set<string>();
    const given: (readonly WebhookEvent[])[] = [];
    const onEvents = (events: readonly WebhookEvent[], { id }: Webhook) => {
      given.push(events);
      if (given.length === 1) throw new Error('the database is on fire');
      handled.add(id);
    };
    const { send, lines } = await receive({ onEvents, seen: (id) => handled.has(id) });
    const statuses = [await send(body), await send(body), await send(body)].map(({ status }) => status);
    expect(statuses).toEqual([500, 204, 204]);
    expect(given).toHaveLength(2);
    expect(lines.at(-1)).toMatchObject({ status: 204, code: 'replayed' });
  });

  test('says so where a body parser ate the raw body', async () => {
    const eat: RequestHandler = (req, _, next) => void req.resume().on('end', next);
    for (const parser of [express.json(), eat]) {
      const { send, lines } = await receive({}, { before: [parser] });
      const answer = await send(body);
      expect(answer).toMatchObject({ status: 500, body: { code: 'body_was_parsed' } });
      expect(answer.body.error).toMatch(/ahead of express\.json/);
      expect(lines).toMatchObject([{ level: 'error', status: 500, code: 'body_was_parsed' }]);
    }
  });

  test('500 where onEvents fails, so that the broker tries again', async () => {
    const failing = [
      () => Promise.reject(new Error('the database is on fire')),
      () => {
        throw new Error('the database is on fire');
      },
    ];
    for (const onEvents of failing) {
      const { send, lines } = await receive({ onEvents });
      expect(await send(body)).toEqual({
        status: 500,
        body: { error: 'Internal error', code: 'internal_error' },
      });
      expect(lines).toMatchObject([
        { level: 'error', outcome: 'failed', err: { message: 'the database is on fire' } },
      ]);
    }
  });
});
