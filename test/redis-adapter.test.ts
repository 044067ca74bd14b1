import { pino } from 'pino';
import { afterAll, beforeAll, describe } from 'vitest';
import { RedisAdapter } from '../server/dist/adapter/redis/adapter.js';
import { adapterContract } from './adapter.contract.ts';
import { DelayedAdapter } from './helpers/delayed-adapter.ts';
import { hasRedis, RedisServer } from './helpers/redis.ts';

describe.skipIf(!hasRedis)('the adapter of many nodes', () => {
  let redis: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  async function subject() {
    let now = 1_700_000_000_000;
    prefixes += 1;
    const adapter = await RedisAdapter.open({
      redis: { url: redis.url, prefix: `test-${prefixes}` },
      nodeTimeoutSeconds: 10,
      log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
      now: () => now,
    });
    return {
      adapter,
      async advance(milliseconds: number) {
        now += milliseconds;
        await redis.age(milliseconds);
      },
    };
  }

  adapterContract('redis', subject);
  adapterContract('redis behind random delays', async () => {
    const { adapter, advance } = await subject();
    return { adapter: new DelayedAdapter(adapter), advance };
  });
});
