import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Countersign, type CountersignOptions, type RequestError } from '@countersign/sdk-server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { readSamples } from '../helpers/metrics.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const { id: appId, key, secret } = APP;
const run = promisify(execFile);

/** An SDK that publishes over a WebSocket, and sends no request. */
function publisherFor(port: number, options: Partial<CountersignOptions> = {}): Countersign {
  const countersign = new Countersign({
    appId,
    key,
    secret,
    port,
    publishOver: 'websocket',
    fetch: () => Promise.reject(new Error('A request was sent')),
    ...options,
  });
  onTestFinished(() => countersign.close());
  return countersign;
}

async function listener(broker: { readonly url: string }): Promise<TestClient> {
  const client = await connect(broker);
  await client.join('news');
  return client;
}

/** Connects, so that a broker which cannot answer gets what is published next. */
async function opened(countersign: Countersign): Promise<Countersign> {
  await countersign.trigger('nobody-listens', 'e', '');
  return countersign;
}

async function nextData(client: TestClient): Promise<unknown> {
  return JSON.parse(String(await client.next(15_000))).data;
}

const errorOf = (promise: Promise<unknown>): Promise<RequestError> =>
  promise.then(
    () => Promise.reject(new Error('It succeeded')),
    (error) => error,
  );

describe('events that are published over a WebSocket', () => {
  test('are answered like requests', async () => {
    const broker = await startServer();
    const client = await listener(broker);
    const countersign = publisherFor(broker.port);
    expect(await countersign.trigger('news', 'e', 'a')).toEqual({});
    expect(await countersign.trigger('news', 'e', 'b', { info: 'subscription_count' })).toEqual({
      channels: { news: { subscription_count: 1 } },
    });
    const batch = ['c', 'd'].map((data) => ({ channel: 'news', name: 'e', data }));
    expect(await countersign.triggerBatch(batch)).toEqual({});
    expect(await countersign.triggerBatch([{ ...batch[0]!, data: 'e', info: 'subscription_count' }])).toEqual(
      {
        batch: [{ subscription_count: 1 }],
      },
    );
    expect(await countersign.sendToUser('ann', 'e', {})).toEqual({});
    for (const data of ['a', 'b', 'c', 'd', 'e']) expect(await nextData(client)).toBe(data);
  });

  test('each have their own error, and those of one channel keep their order', async () => {
    const broker = await startServer({ limits: { httpRequestsPerSecond: null, eventDataBytes: 5 } });
    const client = await listener(broker);
    const countersign = publisherFor(broker.port);
    const count = 300;
    const results = await Promise.allSettled(
      Array.from({ length: count }, (_, index) =>
        countersign.trigger('news', 'e', index === 150 ? 'too long' : `n${index}`),
      ),
    );
    const failed = results.flatMap((result, index) =>
      result.status === 'rejected' ? [[index, result.reason]] : [],
    );
    expect(failed).toEqual([[150, expect.objectContaining({ status: 413, errorCode: 'event_too_large' })]]);
    for (let index = 0; index < count; index += 1) {
      if (index !== 150) expect(await nextData(client)).toBe(`n${index}`);
    }
  });

  test('keep their order over turns, more of them than may wait for an answer', async () => {
    const broker = await startServer({ limits: { httpRequestsPerSecond: null } });
    const client = await listener(broker);
    const countersign = publisherFor(broker.port, { coalesce: false });
    const published = Array.from({ length: 2500 }, (_, index) =>
      countersign.trigger('news', 'e', `n${index}`),
    );
    await Promise.all(published);
    for (let index = 0; index < published.length; index += 1)
      expect(await nextData(client)).toBe(`n${index}`);
  });

  test('for several channels go as a request', async () => {
    const broker = await startServer();
    const client = await listener(broker);
    const countersign = publisherFor(broker.port, { fetch });
    await countersign.trigger(['other', 'news'], 'e', 'a');
    expect(await nextData(client)).toBe('a');
  });

  test('are sent again when the app had too many', async () => {
    const broker = await startServer({ limits: { httpRequestsPerSecond: 10 } });
    const countersign = publisherFor(broker.port, { coalesce: false });
    await Promise.all(Array.from({ length: 15 }, () => countersign.trigger('news', 'e', 'a')));
  });

  test('work with nonces', async () => {
    const broker = await startServer({ app: { requireNonce: true } });
    expect(await publisherFor(broker.port, { nonces: true }).trigger('news', 'e', 'a')).toEqual({});
    const refused = publisherFor(broker.port).trigger('news', 'e', 'a');
    expect(await errorOf(refused)).toMatchObject({ status: 401, errorCode: 'nonce_required' });
  });
});

describe('what is not answered when the connection breaks', () => {
  test('is sent again, and published once', async () => {
    const broker = await startServer();
    const client = await listener(broker);
    const valve = await Valve.open(broker.port);
    const countersign = await opened(publisherFor(valve.port));
    for (let round = 0; round < 30; round += 1) {
      valve.withhold();
      const published = Promise.all([
        countersign.trigger('news', 'e', `a${round}`, { info: 'subscription_count' }),
        countersign.trigger('news', 'e', `b${round}`),
      ]);
      expect([await nextData(client), await nextData(client)]).toEqual([`a${round}`, `b${round}`]);
      valve.cut();
      valve.reopen();
      expect(await published).toEqual([{ channels: { news: { subscription_count: 1 } } }, {}]);
    }
    await countersign.trigger('news', 'e', 'end');
    expect(await nextData(client)).toBe('end');
    valve.close();
  }, 60_000);

  test('is published once on workers, whichever gets it', async () => {
    const group = await startWorkers();
    const client = await group.connectTo(1);
    await client.join('news');
    const valve = await Valve.open(group.port);
    const countersign = await opened(publisherFor(valve.port));
    for (let round = 0; round < 10; round += 1) {
      valve.withhold();
      const published = countersign.trigger('news', 'e', `a${round}`);
      expect(await nextData(client)).toBe(`a${round}`);
      valve.cut();
      valve.reopen();
      await published;
    }
    await countersign.trigger('news', 'e', 'end');
    expect(await nextData(client)).toBe('end');
    valve.close();
  }, 60_000);

  test.skipIf(!hasRedis)(
    'is published once when the node is killed and another one takes its place',
    async () => {
      const redis = await RedisServer.start();
      onTestFinished(() => redis.stop());
      const apps = [{ id: appId, keys: [{ key, secret }] }];
      const config = { redis: { url: redis.url }, apps, host: '127.0.0.1', port: 0 };
      const witness = await startServer({ config: { redis: { url: redis.url } } });
      const client = await listener(witness);
      let node = await MortalBroker.start(config);
      const { port } = node.broker;
      const valve = await Valve.open(port);
      const countersign = await opened(publisherFor(valve.port, { timeout: 60_000, maxRetries: 10 }));
      for (let round = 0; round < 3; round += 1) {
        valve.withhold();
        const published = Promise.all(
          ['a', 'b', 'c'].map((data) => countersign.trigger('news', 'e', data + round)),
        );
        for (const data of ['a', 'b', 'c']) expect(await nextData(client)).toBe(data + round);
        await node.end('SIGKILL');
        valve.cut();
        valve.reopen();
        node = await MortalBroker.start({ ...config, port });
        await published;
      }
      await countersign.trigger('news', 'e', 'end');
      expect(await nextData(client)).toBe('end');
      valve.close();
    },
    90_000,
  );

  test('fails without retries, because it may be published', async () => {
    const broker = await startServer();
    const client = await listener(broker);
    const valve = await Valve.open(broker.port);
    const countersign = await opened(publisherFor(valve.port, { maxRetries: 0 }));
    valve.withhold();
    const published = errorOf(countersign.trigger('news', 'e', 'a'));
    expect(await nextData(client)).toBe('a');
    valve.cut();
    expect(await published).toMatchObject({ code: 'network' });
    valve.close();
  });

  test('goes over another connection when this one is silent', async () => {
    const silent = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    onTestFinished(() => silent.close());
    await once(silent, 'listening');
    const keys: unknown[] = [];
    silent.on('connection', (socket) => {
      socket.on('message', (text) => {
        const { id, events } = JSON.parse(String(text));
        keys.push(events[0].idempotency_key);
        if (keys.length > 1) socket.send(JSON.stringify({ id, status: 200, batch: [{}] }));
      });
    });
    const { port } = silent.address() as AddressInfo;
    await publisherFor(port, { timeout: 4000 }).trigger('news', 'e', 'a');
    expect(keys).toEqual([expect.any(String), keys[0]]);
  });
});

describe('a connection', () => {
  test('that is refused fails what waits for it, with the reason of the broker', async () => {
    const broker = await startServer();
    const wrong = publisherFor(broker.port, { secret: 'wrong' });
    const error = await errorOf(wrong.trigger('news', 'e', 'a'));
    expect(error).toMatchObject({ code: 'request_refused', status: 401, errorCode: 'invalid_signature' });
    expect(error.url).not.toContain('auth_signature');
    expect(error.message).toContain(`GET /apps/${appId}/publish`);
    const other = publisherFor(broker.port, { appId: 'none' });
    expect(await errorOf(other.trigger('news', 'e', 'a'))).toMatchObject({ errorCode: 'app_not_found' });
  });

  test('that is made again with a key that was revoked meanwhile says so', async () => {
    const keys = [
      { key, secret },
      { key: 'key-2', secret: 'secret-2' },
    ];
    const broker = await startServer({ app: { keys } });
    const countersign = publisherFor(broker.port);
    await countersign.trigger('news', 'e', 'a');
    const revoked = [{ ...keys[0], state: 'revoked' }, keys[1]];
    await broker.reload(configOf({ app: { keys: revoked } }).apps);
    const error = await errorOf(countersign.trigger('news', 'e', 'b'));
    expect(error).toMatchObject({ status: 401, errorCode: 'key_revoked' });
  });

  test('that finds nobody is tried until the time is up', async () => {
    const broker = await startServer();
    const { port } = broker;
    await broker.close();
    const countersign = publisherFor(port, { timeout: 300 });
    expect(await errorOf(countersign.trigger('news', 'e', 'a'))).toMatchObject({ code: 'network' });
    const late = publisherFor(port, { timeout: 30_000 }).trigger('news', 'e', 'a');
    await startServer({ config: { port } });
    expect(await late).toEqual({});
  });

  test('is made again after the broker has drained', async () => {
    const first = await startServer();
    const { port } = first;
    const countersign = publisherFor(port, { timeout: 30_000 });
    await countersign.trigger('news', 'e', 'a');
    await first.drain();
    await startServer({ config: { port } });
    expect(await countersign.trigger('news', 'e', 'b')).toEqual({});
  });

  test('is closed when all is answered, and made again when there is need', async () => {
    const broker = await startServer({ config: { metrics: { token: 'metrics-token' } } });
    const countersign = publisherFor(broker.port);
    const open = async () =>
      (await readSamples(`${broker.url}/metrics`, 'metrics-token')).get(
        `countersign_publish_connections{app="${appId}"}`,
      );
    const published = countersign.trigger('news', 'e', 'a');
    await countersign.close();
    expect(await published).toEqual({});
    await eventually(async () => expect(await open()).toBe(0));
    expect(await countersign.trigger('news', 'e', 'a')).toEqual({});
    expect(await open()).toBe(1);
  });

  test('does not keep the process while it waits for nothing, in either kind of module', async () => {
    const broker = await startServer();
    const options = JSON.stringify({ appId, key, secret, port: broker.port, publishOver: 'websocket' });
    const body = `new Countersign(${options}).trigger('news', 'e', 'a').then((answer) => console.log(answer));`;
    for (const [type, load] of [
      ['module', `import { Countersign } from '@countersign/sdk-server';`],
      ['commonjs', `const { Countersign } = require('@countersign/sdk-server');`],
    ]) {
      const args = [`--input-type=${type}`, '-e', `${load} ${body}`];
      const { stdout } = await run(process.execPath, args, { cwd: import.meta.dirname, timeout: 15_000 });
      expect(stdout).toBe('{}\n');
    }
  });
});

test('what is too large for a frame is not sent, and another transport is none', async () => {
  const large = publisherFor(1, { limits: { eventDataBytes: 2_000_000 } });
  const data = 'x'.repeat(1_100_000);
  expect(await errorOf(large.trigger('news', 'e', data))).toMatchObject({ code: 'too_large' });
  expect(() => publisherFor(1, { publishOver: 'pigeon' as 'http' })).toThrow(/publishOver must be/);
});
