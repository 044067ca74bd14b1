import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connectCapable } from '../helpers/clients/client.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

describe.skipIf(!hasRedis)('histories in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  const start = (prefix: string, app: object = {}) =>
    startServer({
      config: { redis: { url: redis.url, prefix } },
      app: { history: [{ channels: '*', seconds: 60, messages: 100 }], ...app },
    });

  test('a client that comes back to another node gets what it missed', async () => {
    const [first, second] = [await start('nodes'), await start('nodes')];
    const client = await connectCapable(first);
    client.subscribe('news');
    const { position: after } = (await client.nextMessage()) as { position?: string };
    await publish(first, 'news', 'e', '1');
    expect(await client.nextMessage()).toMatchObject({ data: '1', position: expect.any(String) });
    await publish(second, 'news', 'e', '2');
    const back = await connectCapable(second);
    back.subscribe('news', { after });
    expect(await back.nextMessage()).toMatchObject({ recovery: { status: 'replayed', count: 2 } });
    await publish(first, 'news', 'e', '3');
    for (const data of ['1', '2', '3']) expect(await back.nextMessage()).toMatchObject({ data });
  });

  test('beyond the bytes of an app its oldest events go first, in whichever channel and from whichever node', async () => {
    const nodes = [
      await start('bytes', { historyMaxBytes: 100_000 }),
      await start('bytes', { historyMaxBytes: 100_000 }),
    ] as const;
    const channels = ['a', 'b', 'c'];
    const numbers = Array.from({ length: 60 }, (_, n) => n);
    for (const n of numbers) {
      const data = `${n} `.padEnd(9000, '.');
      await publish(nodes[n % nodes.length]!, channels[n % channels.length]!, 'e', data);
    }
    const kept = async () => {
      const answers = await Promise.all(
        channels.map((channel) => request(nodes[0], 'GET', `/channels/${channel}/events`)),
      );
      return answers
        .flatMap(({ body }) => (body as { events: { data: string }[] }).events)
        .map(({ data }) => Number.parseInt(data, 10))
        .toSorted((one, other) => one - other);
    };
    await expect.poll(kept).toEqual(numbers.slice(-10));
  });
});
