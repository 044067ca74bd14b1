import { Countersign, type CountersignOptions } from '@countersign/sdk-server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { startRecorder } from '../helpers/brokers/recorder.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const { id: appId, key, secret } = APP;
const ROUNDS = 100;

const clientOf = (port: number, options: Partial<CountersignOptions> = {}) =>
  new Countersign({ appId, key, secret, port, ...options });

async function nextData(client: TestClient): Promise<unknown> {
  return JSON.parse(String(await client.next())).data;
}

describe('an answer that is lost after the effect', () => {
  test.each([
    ['of single events', { coalesce: false }],
    ['of events that travel together', { coalesce: true }],
  ])(
    '%s makes no second event',
    async (_, options) => {
      const broker = await startServer({ limits: { clientEventsPerSecond: null } });
      const client = await connect(broker);
      await client.join('news');
      const valve = await Valve.open(broker.port);
      const countersign = clientOf(valve.port, options);
      for (let round = 0; round < ROUNDS; round += 1) {
        valve.withhold();
        const published = Promise.all([
          countersign.trigger('news', 'e', `a${round}`),
          countersign.trigger('news', 'e', `b${round}`),
        ]);
        const received = [await nextData(client), await nextData(client)];
        expect(received.toSorted()).toEqual([`a${round}`, `b${round}`]);
        valve.cut();
        valve.reopen();
        await published;
      }
      await countersign.trigger('news', 'e', 'end');
      expect(await nextData(client)).toBe('end');
      valve.close();
    },
    60_000,
  );

  test('of a batch makes no second event, on workers either', async () => {
    const group = await startWorkers();
    const client = await group.connectTo(1);
    await client.join('news');
    const valve = await Valve.open(group.port);
    const countersign = clientOf(valve.port);
    const batch = ['1', '2'].map((data) => ({
      channel: 'news',
      name: 'e',
      data: `n${data}`,
      info: 'subscription_count',
    }));
    for (let round = 0; round < 10; round += 1) {
      valve.withhold();
      const published = countersign.triggerBatch(batch);
      expect([await nextData(client), await nextData(client)]).toEqual(['n1', 'n2']);
      valve.cut();
      valve.reopen();
      expect(await published).toEqual({ batch: [{ subscription_count: 1 }, { subscription_count: 1 }] });
    }
    valve.close();
  }, 60_000);

  test('is asked for again while the connection stays open', async () => {
    const broker = await startRecorder(null, {});
    await clientOf(broker.port, { timeout: 1000 }).trigger('news', 'e', {});
    const keys = broker.requests.map(({ body }) => JSON.parse(body).idempotency_key);
    expect(keys).toEqual([expect.any(String), keys[0]]);
  });
});

test('each event has a key of its own, or the one that the caller gives', async () => {
  const broker = await startRecorder();
  const countersign = clientOf(broker.port, { coalesce: false });
  await countersign.trigger('a', 'e', {});
  await countersign.sendToUser('ann', 'e', {});
  await countersign.trigger('a', 'e', {}, { idempotencyKey: 'job-1' });
  await countersign.triggerBatch([
    { channel: 'a', name: 'e', data: {} },
    { channel: 'a', name: 'e', data: {}, idempotencyKey: 'job-2' },
  ]);
  const bodies = broker.requests.map(({ body }) => JSON.parse(body));
  const keys = bodies
    .flatMap(({ batch, ...event }) => batch ?? [event])
    .map((event) => event.idempotency_key);
  expect(keys[2]).toBe('job-1');
  expect(keys[4]).toBe('job-2');
  expect(new Set(keys).size).toBe(5);
  for (const idempotencyKey of ['', 'k'.repeat(129)]) {
    await expect(countersign.trigger('a', 'e', {}, { idempotencyKey })).rejects.toMatchObject({
      code: 'invalid_event',
    });
  }
});

describe.skipIf(!hasRedis)('a node that is killed between the effect and the answer', () => {
  test('makes no second event: another node knows what it has published', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const config = {
      redis: { url: redis.url },
      apps: [{ id: appId, keys: [{ key, secret }] }],
      host: '127.0.0.1',
      port: 0,
    };
    const second = await startServer({ config: { redis: { url: redis.url } } });
    const client = await connect(second);
    await client.join('news');
    for (let round = 0; round < 3; round += 1) {
      const first = await MortalBroker.start(config);
      const valve = await Valve.open(first.broker.port);
      valve.withhold();
      const ports = [valve.port, second.port];
      const countersign = clientOf(valve.port, {
        fetch: (url, init) => fetch(Object.assign(new URL(String(url)), { port: ports.shift() }), init),
      });
      const published = countersign.trigger('news', 'e', `n${round}`, { info: 'subscription_count' });
      expect(await nextData(client)).toBe(`n${round}`);
      await first.end('SIGKILL');
      valve.close();
      expect(await published).toEqual({ channels: { news: { subscription_count: 1 } } });
    }
    await clientOf(second.port).trigger('news', 'e', 'end');
    expect(await nextData(client)).toBe('end');
  }, 60_000);
});
