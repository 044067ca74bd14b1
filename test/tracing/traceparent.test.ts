/** The cause of an event: taken from whoever publishes, and handed to capable clients and webhooks. */
import { Countersign as Client } from '@countersign/sdk-client';
import type { Broker } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize, connect, connectCapable, type TestClient } from '../helpers/clients/client.ts';
import { openPublisher } from '../helpers/clients/publisher.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { CAUSE, OTHER_CAUSE } from './causes.ts';

const MALFORMED = [
  '',
  'x',
  CAUSE.toUpperCase(),
  CAUSE.slice(1),
  `${CAUSE}-00`,
  CAUSE.replace('00-', 'ff-'),
  CAUSE.replace('00-', '01-'),
  `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
  `${CAUSE}\n`,
];

async function subscribed(client: TestClient, channel: string): Promise<TestClient> {
  client.subscribe(
    channel,
    channel.startsWith('private-') ? { auth: authorize(client.socketId, channel) } : {},
  );
  await client.next();
  return client;
}

const KINDS = [
  {
    name: 'one process',
    start: (app: Readonly<Record<string, unknown>>) => startServer({ app }) as Promise<Pick<Broker, 'url'>>,
  },
  {
    name: 'workers',
    start: (app: Readonly<Record<string, unknown>>) => startWorkers({ app }) as Promise<Pick<Broker, 'url'>>,
  },
  {
    name: 'Redis',
    async start(app: Readonly<Record<string, unknown>>) {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      return startServer({ app, config: { redis: { url: `redis://127.0.0.1:${redis.port}` } } });
    },
  },
];

for (const { name, start } of KINDS) {
  describe.skipIf(name === 'Redis' && !hasRedis)(name, () => {
    for (const channel of ['news', 'kept']) {
      test(`a capable client gets the cause of an event, and a stock client its usual bytes: ${channel}`, async () => {
        const broker = await start({ history: [{ channels: 'kept', seconds: 60, messages: 10 }] });
        const capable = await subscribed(await connectCapable(broker), channel);
        const stock = await subscribed(await connect(broker), channel);
        await publish(broker, channel, 'e', '1', { traceparent: CAUSE });
        expect(await capable.nextMessage()).toMatchObject({ event: 'e', data: '1', traceparent: CAUSE });
        expect(await stock.next()).toBe(frames.event('e', channel, '1'));
        await publish(broker, channel, 'e', '2');
        expect(await capable.nextMessage()).not.toHaveProperty('traceparent');
        expect(await stock.next()).toBe(frames.event('e', channel, '2'));
      });
    }

    test('a replayed event has it, too', async () => {
      const broker = await start({ history: [{ channels: '*', seconds: 60, messages: 10, rewind: 5 }] });
      await publish(broker, 'news', 'e', '1', { traceparent: CAUSE });
      const capable = await subscribed(await connectCapable(broker), 'news');
      expect(await capable.nextMessage()).toMatchObject({ data: '1', replayed: true, traceparent: CAUSE });
      const stock = await subscribed(await connect(broker), 'news');
      expect(await stock.next()).toBe(frames.event('e', 'news', '1'));
    });

    test('a client event hands it to others and to the webhook', async () => {
      const receiver = await startReceiver();
      const webhooks = [{ url: receiver.url(), events: ['client_event'] }];
      const broker = await start({ clientEvents: true, webhooks });
      const channel = 'private-room';
      const sender = await subscribed(await connectCapable(broker), channel);
      const other = await subscribed(await connectCapable(broker), channel);
      sender.send({ event: 'client-e', channel, data: '1', traceparent: CAUSE });
      expect(await other.nextMessage()).toMatchObject({ data: '1', traceparent: CAUSE });
      const { headers, events } = await receiver.next();
      expect(events).toMatchObject([{ name: 'client_event', traceparent: CAUSE }]);
      expect(headers['traceparent']).toBe(CAUSE);
    });
  });
}

describe('who says the cause', () => {
  test('the header of a request says it for all events that have none of their own', async () => {
    const broker = await startServer();
    const client = await subscribed(await connectCapable(broker), 'news');
    const event = { channel: 'news', name: 'e', data: '' };
    const send = (path: string, body: object) =>
      request(broker, 'POST', path, { body, headers: { traceparent: CAUSE } });
    await send('/events', event);
    await send('/batch_events', { batch: [event, { ...event, traceparent: OTHER_CAUSE }] });
    const causes = [await client.nextMessage(), await client.nextMessage(), await client.nextMessage()];
    expect(causes.map((message) => Object(message).traceparent)).toEqual([CAUSE, CAUSE, OTHER_CAUSE]);
  });

  test('a malformed header counts as absent, and a malformed field is refused', async () => {
    const broker = await startServer();
    const client = await subscribed(await connectCapable(broker), 'news');
    const event = { channel: 'news', name: 'e', data: '' };
    for (const cause of MALFORMED) {
      if (!/\n/.test(cause)) {
        await request(broker, 'POST', '/events', { body: event, headers: { traceparent: cause } });
        expect(await client.next()).toBe(frames.event('e', 'news', ''));
      }
      const { status, body } = await request(broker, 'POST', '/events', {
        body: { ...event, traceparent: cause },
      });
      expect({ status, body }).toMatchObject({ status: 400, body: { code: 'invalid_body' } });
      expect(JSON.stringify(body)).toContain('traceparent');
    }
    expect(await client.nothing()).toEqual([]);
  });

  test('each event of a publish socket says its own', async () => {
    const broker = await startServer();
    const client = await subscribed(await connectCapable(broker), 'news');
    const publisher = await openPublisher(broker);
    const event = { channel: 'news', name: 'e', data: '' };
    publisher.publish(1, { ...event, traceparent: CAUSE }, event);
    expect(await client.nextMessage()).toMatchObject({ traceparent: CAUSE });
    expect(await client.nextMessage()).not.toHaveProperty('traceparent');
    publisher.publish(2, { ...event, traceparent: 'x' });
    await publisher.next();
    expect(await publisher.nextMessage()).toMatchObject({ id: 2, status: 400, code: 'invalid_body' });
  });

  test('the same event under one idempotency key is published once, whatever its cause', async () => {
    const broker = await startServer();
    const event = { channel: 'news', name: 'e', data: '', idempotency_key: 'k' };
    await request(broker, 'POST', '/events', { body: { ...event, traceparent: CAUSE } });
    const again = await request(broker, 'POST', '/events', { body: { ...event, traceparent: OTHER_CAUSE } });
    expect(again.headers.get('Idempotency-Replayed')).toBe('true');
  });

  test('a client event with a malformed one is refused, and on a stock connection it means nothing', async () => {
    const broker = await startServer({ app: { clientEvents: true } });
    const channel = 'private-room';
    const sender = await subscribed(await connectCapable(broker), channel);
    const other = await subscribed(await connectCapable(broker), channel);
    sender.send({ event: 'client-e', channel, data: '1', traceparent: 7 });
    expect(await sender.nextMessage()).toMatchObject({
      event: 'pusher:error',
      data: { error_code: 'invalid_message', message: expect.stringContaining('traceparent') },
    });
    const stock = await subscribed(await connect(broker), channel);
    stock.send({ event: 'client-e', channel, data: '2', traceparent: CAUSE });
    expect(await other.next()).toBe(frames.event('client-e', channel, '2'));
  });
});

describe('our SDKs', () => {
  for (const options of [{}, { coalesce: true }, { publishOver: 'websocket' }] as const) {
    test(`hand it from a backend to a page: ${JSON.stringify(options)}`, async () => {
      const broker = await startServer();
      const countersign = countersignFor(broker, options);
      onTestFinished(() => countersign.close());
      const client = new Client(APP.key, { host: '127.0.0.1', port: broker.port, forceTLS: false });
      onTestFinished(() => client.disconnect());
      const news = await client.subscribe('news').ready;
      const got = new Promise((resolve) => news.bind('e', (_data: unknown, metadata) => resolve(metadata)));
      await Promise.all([
        countersign.trigger('news', 'other', {}),
        countersign.trigger('news', 'e', {}, { traceparent: CAUSE }),
      ]);
      expect(await got).toEqual({ traceparent: CAUSE });
      await expect(countersign.trigger('news', 'e', {}, { traceparent: 'x' })).rejects.toMatchObject({
        code: 'invalid_event',
        message: expect.stringContaining('traceparent'),
      });
    });
  }
});
