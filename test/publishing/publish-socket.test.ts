import type { Broker } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP, configOf, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { openPublisher, publishTarget } from '../helpers/clients/publisher.ts';
import { frameOf, opcodes, RawClient, upgradeRequest } from '../helpers/clients/raw.ts';
import { eventually } from '../helpers/eventually.ts';
import { readSamples } from '../helpers/metrics.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const METRICS = { metrics: { token: 'metrics-token' } };

const event = (data: string, extra: object = {}) => ({ channel: 'news', name: 'e', data, ...extra });

async function listener(broker: { readonly url: string }, channel = 'news'): Promise<TestClient> {
  const client = await connect(broker);
  await client.join(channel);
  return client;
}

async function nextData(client: TestClient): Promise<unknown> {
  return JSON.parse(String(await client.next(15_000))).data;
}

async function sample({ url }: Pick<Broker, 'url'>, name: string): Promise<number | undefined> {
  const samples = await readSamples(`${url}/metrics`, 'metrics-token');
  return samples.get(`countersign_${name}`);
}

describe('a frame', () => {
  test('is published and answered, and the next ones in their order', async () => {
    const broker = await startServer({ config: METRICS });
    const client = await listener(broker);
    const publisher = await openPublisher(broker);
    publisher.publish('a', event('1'), event('2', { info: 'subscription_count' }));
    publisher.publish(7, event('3'));
    publisher.publish('a');
    expect(await publisher.answer()).toEqual({
      id: 'a',
      status: 200,
      batch: [{}, { subscription_count: 1 }],
    });
    expect(await publisher.answer()).toEqual({ id: 7, status: 200, batch: [{}] });
    expect(await publisher.answer()).toEqual({ id: 'a', status: 200, batch: [] });
    expect([await nextData(client), await nextData(client), await nextData(client)]).toEqual(['1', '2', '3']);
    expect(await sample(broker, `publishes_total{app="${APP.id}",code="200"}`)).toBe(3);
    expect(await sample(broker, `publish_connections{app="${APP.id}"}`)).toBe(1);
    expect(await sample(broker, `publish_frames_unanswered{app="${APP.id}"}`)).toBe(0);
  });

  test('that cannot be published is answered with what is wrong, and the socket stays', async () => {
    const broker = await startServer({ config: METRICS });
    const client = await listener(broker);
    const publisher = await openPublisher(broker);
    const refused = [
      ['{', { id: null, status: 400, code: 'invalid_body' }],
      ['[]', { id: null, status: 400, code: 'invalid_body' }],
      ['null', { id: null, status: 400, code: 'invalid_body' }],
      [{ events: [] }, { id: null, status: 400, code: 'invalid_body' }],
      [
        { id: '', events: [] },
        { id: null, status: 400, code: 'invalid_body' },
      ],
      [
        { id: 'x'.repeat(65), events: [] },
        { id: null, status: 400, code: 'invalid_body' },
      ],
      [
        { id: 1.5, events: [] },
        { id: null, status: 400, code: 'invalid_body' },
      ],
      [
        { id: { a: 1 }, events: [] },
        { id: null, status: 400, code: 'invalid_body' },
      ],
      [{ id: 1 }, { id: 1, status: 400, code: 'invalid_body' }],
      [
        { id: 2, events: {} },
        { id: 2, status: 400, code: 'invalid_body' },
      ],
      [
        { id: 3, events: [null] },
        { id: 3, status: 400, code: 'invalid_body' },
      ],
      [
        { id: 4, events: [event('1'), event('2', { channel: 'a b' })] },
        { id: 4, status: 400, code: 'invalid_channel' },
      ],
      [
        { id: 5, events: [event('1', { name: 'pusher:e' })] },
        { id: 5, status: 400, code: 'invalid_event_name' },
      ],
      [
        { id: 6, events: [event('x'.repeat(10_241))] },
        { id: 6, status: 413, code: 'event_too_large' },
      ],
      [
        { id: 7, events: Array(11).fill(event('1')) },
        { id: 7, status: 400, code: 'batch_too_large' },
      ],
      [
        { id: '8', events: [event('1', { channel: 'private-encrypted-a' })] },
        { id: '8', status: 400, code: 'not_encrypted' },
      ],
    ] as const;
    for (const [frame] of refused) publisher.send(frame);
    for (const [, answer] of refused) {
      expect(await publisher.answer()).toEqual({ ...answer, error: expect.any(String) });
    }
    publisher.publish('good', event('end'));
    expect(await publisher.answer()).toMatchObject({ id: 'good', status: 200 });
    expect(await nextData(client)).toBe('end');
    expect(await sample(broker, `publishes_total{app="${APP.id}",code="400"}`)).toBe(15);
  });

  test('names the wrong item', async () => {
    const publisher = await openPublisher(await startServer());
    publisher.publish(1, event('1'), { channel: 'news', name: 'e', data: 1 });
    expect((await publisher.answer()).error).toBe('"events[1].data" is 1: expected a string');
  });

  test('is published once under its idempotency keys', async () => {
    const broker = await startServer();
    const client = await listener(broker);
    const publisher = await openPublisher(broker);
    const keyed = (data: string) => event(data, { idempotency_key: 'k', info: 'subscription_count' });
    publisher.publish(1, keyed('1'));
    publisher.publish(2, keyed('1'));
    publisher.publish(3, event('2'), keyed('other'));
    const batch = [{ subscription_count: 1 }];
    expect(await publisher.answer()).toEqual({ id: 1, status: 200, batch });
    expect(await publisher.answer()).toEqual({ id: 2, status: 200, batch, replayed: true });
    expect(await publisher.answer()).toMatchObject({ id: 3, status: 422, code: 'idempotency_mismatch' });
    const overHttp = await request(broker, 'POST', '/batch_events', { body: { batch: [keyed('1')] } });
    expect(overHttp.headers.get('idempotency-replayed')).toBe('true');
    publisher.publish(4, event('end'));
    expect([await nextData(client), await nextData(client)]).toEqual(['1', 'end']);
  });

  test('counts as a request', async () => {
    const broker = await startServer({ limits: { httpRequestsPerSecond: 5 } });
    const publisher = await openPublisher(broker);
    for (let id = 1; id <= 30; id += 1) publisher.publish(id, event('1'));
    const answers = [];
    for (let id = 1; id <= 30; id += 1) answers.push(await publisher.answer());
    expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    const refused = answers.find(({ status }) => status !== 200);
    expect(refused).toMatchObject({ status: 429, code: 'too_many_requests', retry_after: 1 });
  });

  test('may publish what the scopes of its key allow', async () => {
    const keys = [{ key: APP.key, secret: APP.secret, scopes: ['publish:news'] }];
    const publisher = await openPublisher(await startServer({ app: { keys } }));
    publisher.publish(1, event('1'));
    publisher.publish(2, event('1'), event('1', { channel: 'other' }));
    expect(await publisher.answer()).toMatchObject({ id: 1, status: 200 });
    expect(await publisher.answer()).toMatchObject({ id: 2, status: 403, code: 'scope_missing' });
  });
});

describe('a socket is refused over HTTP', () => {
  const opening = (broker: Broker, target: string) => openPublisher(broker, target).catch((error) => error);

  test('without a valid signature', async () => {
    const broker = await startServer();
    expect(await opening(broker, publishTarget(APP, {}, 'wrong'))).toMatchObject({
      status: 401,
      code: 'invalid_signature',
    });
    expect(await opening(broker, publishTarget({ ...APP, id: 'none' }))).toMatchObject({
      status: 404,
      code: 'app_not_found',
    });
    expect(await opening(broker, publishTarget({ ...APP, key: 'none' }))).toMatchObject({
      code: 'unknown_key',
    });
    expect(await opening(broker, publishTarget(APP, { auth_timestamp: '1' }))).toMatchObject({
      code: 'timestamp_expired',
    });
    expect(await opening(broker, `/apps/${APP.id}/publish`)).toMatchObject({
      code: 'missing_auth_parameter',
    });
    const other = publishTarget(OTHER_APP).replace(OTHER_APP.id, APP.id);
    expect(await opening(broker, other)).toMatchObject({ status: 401 });
  });

  test('often from one address, without a limit for those who prove themselves', async () => {
    const broker = await startServer({ config: { failedAuthenticationsPerMinute: 2 } });
    const wrong = publishTarget(APP, {}, 'wrong');
    for (const status of [401, 401, 429]) expect(await opening(broker, wrong)).toMatchObject({ status });
    await openPublisher(broker);
  });

  test('under a nonce that was used, or without one where it is required', async () => {
    const broker = await startServer({ app: { requireNonce: true } });
    const target = publishTarget(APP, { auth_nonce: 'nonce-1234' });
    await openPublisher(broker, target);
    expect(await opening(broker, target)).toMatchObject({ status: 401, code: 'nonce_reused' });
    expect(await opening(broker, publishTarget())).toMatchObject({ code: 'nonce_required' });
  });

  test('beyond the number of them', async () => {
    const broker = await startServer({ config: METRICS, limits: { publishConnections: 2 } });
    const [first] = [await openPublisher(broker), await openPublisher(broker)];
    expect(await opening(broker, publishTarget())).toMatchObject({
      status: 429,
      code: 'too_many_connections',
    });
    expect(await sample(broker, 'bounds_reached_total{bound="publish_connections"}')).toBe(1);
    first.close();
    await eventually(() => openPublisher(broker));
  });

  test('without an upgrade', async () => {
    const broker = await startServer();
    expect(await request(broker, 'GET', '/publish')).toMatchObject({
      status: 426,
      body: { code: 'upgrade_required' },
    });
    expect(await request(broker, 'POST', '/publish', { body: {} })).toMatchObject({ status: 405 });
  });
});

describe('a socket is closed', () => {
  const withKeys = (...keys: readonly object[]) =>
    configOf({ app: { keys: [{ key: APP.key, secret: APP.secret }, ...keys] } }).apps;
  const SECOND = { key: 'key-2', secret: 'secret-2' };

  test('when its key is revoked or removed, and nothing is published after it', async () => {
    for (const [after, code] of [
      [[{ ...SECOND, state: 'revoked' }], 'key_revoked'],
      [[], 'key_removed'],
    ] as const) {
      const broker = await startServer({ app: { keys: [{ key: APP.key, secret: APP.secret }, SECOND] } });
      const client = await listener(broker);
      const publisher = await openPublisher(broker, publishTarget({ ...APP, ...SECOND }));
      const other = await openPublisher(broker);
      publisher.publish(1, event('1'));
      expect(await publisher.answer()).toMatchObject({ status: 200 });
      await broker.reload(withKeys(...after));
      publisher.publish(2, event('2', { idempotency_key: 'k' }));
      publisher.publish(3, event('3'));
      const close = await publisher.next();
      expect(close).toMatchObject({ code: 4009 });
      if (code === 'key_revoked')
        expect(close).toMatchObject({ reason: expect.stringMatching(/^key_revoked: /) });
      other.publish(1, event('end'));
      expect(await other.answer()).toMatchObject({ status: 200 });
      expect([await nextData(client), await nextData(client)]).toEqual(['1', 'end']);
    }
  });

  test('when its key expires', async () => {
    const broker = await startServer({ app: { keys: [{ key: APP.key, secret: APP.secret }, SECOND] } });
    const publisher = await openPublisher(broker, publishTarget({ ...APP, ...SECOND }));
    const expiresAt = new Date(Date.now() + 300).toISOString();
    await broker.reload(withKeys({ ...SECOND, expiresAt }));
    expect(await publisher.next(15_000)).toMatchObject({ code: 4009 });
  });

  test('with 4200 when the broker drains, after all that was read is answered', async () => {
    const broker = await startServer();
    const client = await listener(broker);
    const publisher = await openPublisher(broker);
    for (let id = 1; id <= 50; id += 1)
      publisher.publish(id, event(String(id), { idempotency_key: `k${id}` }));
    expect(await publisher.answer()).toMatchObject({ id: 1, status: 200 });
    const drained = broker.drain();
    const received = await publisher.until((one) => typeof one !== 'string');
    expect(received.pop()).toEqual({ code: 4200, reason: 'The server restarts: please reconnect' });
    const heard = await client.until((one) => typeof one !== 'string');
    const published = heard.filter((text) => String(text).includes('"e"'));
    expect(published).toHaveLength(received.length + 1);
    await drained;
  });

  test('when a frame is too large, binary, or no WebSocket frame at all', async () => {
    const broker = await startServer();
    const large = await openPublisher(broker);
    large.send('x'.repeat(1_048_577));
    expect(await large.next()).toMatchObject({ code: 1009 });
    const binary = await openPublisher(broker);
    binary.socket.send(Buffer.from('{"id":1,"events":[]}'));
    expect(await binary.next()).toMatchObject({ code: 1003 });
    for (const bytes of [
      frameOf({ payload: '{"id":1,"events":[]}', masked: false }),
      frameOf({ payload: Buffer.from([0xff]) }),
      frameOf({ payload: '{}', reserved: 4 }),
      frameOf({ opcode: 5 }),
    ]) {
      const raw = new RawClient(broker);
      raw.send(upgradeRequest(publishTarget()), bytes);
      await raw.closed();
    }
    const good = await openPublisher(broker);
    good.publish(1, event('1'));
    expect(await good.answer()).toMatchObject({ status: 200 });
  });

  test('when its peer is gone, and not while pings are answered', async () => {
    const broker = await startServer({ config: { activityTimeoutSeconds: 1, pongTimeoutSeconds: 3 } });
    const publisher = await openPublisher(broker);
    const raw = new RawClient(broker);
    raw.send(upgradeRequest(publishTarget()));
    const received = await raw.closed();
    expect(received).toMatchObject({ code: 4201 });
    publisher.publish(1, event('1'));
    expect(await publisher.answer()).toMatchObject({ status: 200 });
  });
});

describe('back-pressure', () => {
  const many = (count: number, payload: (id: number) => string) =>
    Buffer.concat(Array.from({ length: count }, (_, index) => frameOf({ payload: payload(index) })));

  test('a caller who does not read the answers is not read, and cut off at last', async () => {
    const broker = await startServer({
      config: { ...METRICS, answerTimeoutSeconds: 1 },
      limits: { httpRequestsPerSecond: null },
    });
    const raw = new RawClient(broker);
    raw.send(upgradeRequest(publishTarget()));
    raw.socket.pause();
    const frames = many(2000, (id) => `{"id":"${'x'.repeat(60)}","events":${id % 2 ? '[7]' : '{}'}}`);
    // Until nothing more gets through, it is written to: the broker has stopped to read.
    const pump = () => {
      while (!raw.socket.destroyed && raw.socket.write(frames));
    };
    raw.socket.on('drain', pump);
    pump();
    await eventually(async () => {
      expect(await sample(broker, 'bounds_reached_total{bound="answer_timeout"}')).toBe(1);
    });
    expect(await sample(broker, `publish_pauses_total{app="${APP.id}"}`)).toBeGreaterThan(0);
    await eventually(async () => {
      expect(await sample(broker, `publish_connections{app="${APP.id}"}`)).toBe(0);
    });
    expect(await sample(broker, `publish_frames_unanswered{app="${APP.id}"}`)).toBe(0);
  });

  test.skipIf(!hasRedis)(
    'at most 1000 frames wait for an answer, and all of them are answered in order',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      const valve = await Valve.open(redis.port);
      onTestFinished(() => valve.close());
      const broker = await startServer({
        config: { ...METRICS, redis: { url: `redis://127.0.0.1:${valve.port}` } },
        limits: { httpRequestsPerSecond: null },
      });
      const publisher = await openPublisher(broker);
      publisher.publish('first', event('1'));
      expect(await publisher.answer()).toMatchObject({ status: 200 });
      valve.withhold();
      const count = 3000;
      for (let id = 0; id < count; id += 1) publisher.publish(id, event('x'.repeat(200)));
      const name = `publish_frames_unanswered{app="${APP.id}"}`;
      await eventually(async () => expect(await sample(broker, name)).toBeGreaterThanOrEqual(1000));
      // What is over 1000 was in the same packet.
      expect(await sample(broker, name)).toBeLessThan(1400);
      valve.reopen();
      for (let id = 0; id < count; id += 1) expect((await publisher.answer()).id).toBe(id);
      expect(await sample(broker, name)).toBe(0);
    },
  );

  test('a caller who sends pings without end and reads no answer is cut off', async () => {
    const broker = await startServer();
    const raw = new RawClient(broker);
    raw.send(upgradeRequest(publishTarget()));
    raw.socket.pause();
    const ping = frameOf({ opcode: opcodes.ping, payload: 'x'.repeat(125) });
    const pings = Buffer.concat(Array(1000).fill(ping));
    const pump = () => {
      while (!raw.socket.destroyed && raw.socket.write(pings));
    };
    raw.socket.on('drain', pump);
    pump();
    await new Promise((resolve) => raw.socket.once('close', resolve));
  });
});

describe('frames of one channel are published in their order', () => {
  test('on workers', async () => {
    const group = await startWorkers();
    const client = await group.connectTo(1);
    await client.join('news');
    const publisher = await openPublisher(group);
    const mixed = (id: number) => event(String(id), id % 2 ? { idempotency_key: `k${id}` } : {});
    for (let id = 0; id < 100; id += 1) publisher.publish(id, mixed(id));
    for (let id = 0; id < 100; id += 1) expect(await publisher.answer()).toMatchObject({ id, status: 200 });
    for (let id = 0; id < 100; id += 1) expect(await nextData(client)).toBe(String(id));
    // Another worker may have this one.
    const other = await openPublisher(group);
    other.publish(1, mixed(1));
    expect(await other.answer()).toMatchObject({ replayed: true });
  }, 60_000);

  test.skipIf(!hasRedis)(
    'on Redis, and a killed node makes no second event',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      const config = { redis: { url: redis.url }, drainWindowSeconds: 0 };
      const apps = [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }];
      const second = await startServer({ config });
      const client = await listener(second);
      const first = await MortalBroker.start({ ...config, apps, host: '127.0.0.1', port: 0 });
      const valve = await Valve.open(first.broker.port);
      onTestFinished(() => valve.close());
      const publisher = await openPublisher({ url: `http://127.0.0.1:${valve.port}` });
      valve.withhold();
      const mixed = (id: number) => event(String(id), { idempotency_key: `k${id}` });
      for (let id = 0; id < 50; id += 1) publisher.publish(id, mixed(id));
      for (let id = 0; id < 50; id += 1) expect(await nextData(client)).toBe(String(id));
      await first.end('SIGKILL');
      const other = await openPublisher(second);
      for (let id = 0; id < 51; id += 1) other.publish(id, mixed(id));
      for (let id = 0; id < 50; id += 1) expect(await other.answer()).toMatchObject({ id, replayed: true });
      expect(await nextData(client)).toBe('50');
    },
    60_000,
  );
});

test('a client of channels cannot publish on it, nor subscribe on a socket for publishing', async () => {
  const broker = await startServer();
  const client = await listener(broker);
  client.send({ id: 1, events: [event('1')] });
  expect(await client.nextMessage()).toMatchObject({ event: 'pusher:error' });
  const publisher = await openPublisher(broker);
  publisher.subscribe('news');
  expect(await publisher.answer()).toMatchObject({ id: null, status: 400 });
  await publish(broker, 'news', 'e', 'end');
  expect(await nextData(client)).toBe('end');
});
