import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { APP } from '../helpers/brokers/server.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

describe.skipIf(!hasRedis)('what cache channels keep in Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  async function startTwo(limits: Readonly<Record<string, unknown>>) {
    const prefix = `test-${Math.random()}`;
    const begin = () => startNode({ redisPort: redis.port, prefix, limits });
    const nodes = await Promise.all([begin(), begin()]);
    const kept = async () => {
      const names = ['a', 'b', 'c', 'd'];
      const answers = names.map((name) =>
        request(nodes[0]!, 'GET', `/channels/cache-${name}`, { query: { info: 'cache' } }),
      );
      const bodies = (await Promise.all(answers)).map(({ body }) => body as { cache: object | null });
      return names.filter((_, index) => bodies[index]?.cache).join('');
    };
    const expiry = (name: string) =>
      redis.command('ZSCORE', `${prefix}:cached:{${APP.id}}:ends`, `cache-${name}`);
    const tell = async (names: string, data = 'x') => {
      for (const [index, name] of [...names].entries()) {
        const before = await expiry(name);
        await publish(nodes[index % 2]!, `cache-${name}`, 'e', data);
        // Each is counted before the next one, so that their order is known.
        await expect.poll(() => expiry(name)).not.toBe(before);
      }
    };
    return { kept, tell };
  }

  test('is bounded in events, on all nodes together: the oldest one is forgotten', async () => {
    const { kept, tell } = await startTwo({ keptEvents: 2 });
    await tell('abac');
    await expect.poll(kept).toBe('ac');
  });

  test('is bounded in bytes', async () => {
    const { kept, tell } = await startTwo({ keptBytes: 5000 });
    await tell('abcd', 'x'.repeat(2000));
    await expect.poll(kept).toBe('cd');
  });
});
