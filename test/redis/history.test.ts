import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connectCapable } from '../helpers/clients/client.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

describe.skipIf(!hasRedis)('histories in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  }, 30_000);
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

  test('beyond the bytes of an app its oldest events go first, in whichever channel', async () => {
    const server = await start('bytes', { historyMaxBytes: 2048 });
    const dataOf = async (channel: string) => {
      const { body } = await request(server, 'GET', `/channels/${channel}/events`);
      return (body as { events: { data: string }[] }).events.map(({ data }) => data[0]);
    };
    const big = (text: string) => text.padEnd(500, '.');
    for (const [channel, text] of [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
      ['b', '4'],
    ] as const)
      await publish(server, channel, 'e', big(text));
    await expect
      .poll(async () => [await dataOf('a'), await dataOf('b')], { timeout: 10_000 })
      .toEqual([['3'], ['4']]);
  });
});
