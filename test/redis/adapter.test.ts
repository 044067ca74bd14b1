import { pino } from 'pino';
import { afterAll, beforeAll, describe } from 'vitest';
import { RedisAdapter } from '#server/adapter/redis/adapter';
import { redisSchema } from '#server/redis/settings';
import { adapterContract } from '../contracts/adapter.contract.ts';
import { historyContract } from '../contracts/history.contract.ts';
import { idempotencyContract } from '../contracts/idempotency.contract.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { hasRedis, RedisCluster, RedisSentinel, RedisServer } from '../helpers/redis/redis.ts';

type Place = Pick<RedisServer, 'age' | 'stop'>;

/** Each test has an adapter of its own, with keys of its own. */
function contractOn<P extends Place>(
  name: string,
  start: () => Promise<P>,
  placeOf: (place: P) => object,
): void {
  let place: P;
  beforeAll(async () => {
    place = await start();
  });
  afterAll(() => place.stop());

  async function subject() {
    const adapter = await RedisAdapter.open({
      redis: redisSchema.parse({ ...placeOf(place), prefix: `test-${Math.random()}` }),
      nodeTimeoutSeconds: 10,
      log: pino({ level: 'silent' }),
    });
    return {
      adapter,
      advance: (milliseconds: number) => place.age(milliseconds),
    };
  }

  adapterContract(name, subject);
  historyContract(name, subject);
  idempotencyContract(name, subject);
  adapterContract(`${name} behind random delays`, async () => {
    const { adapter, advance } = await subject();
    return { adapter: new DelayedAdapter(adapter), advance };
  });
}

describe.skipIf(!hasRedis)('one server', () => {
  contractOn(
    'redis',
    () => RedisServer.start(),
    ({ url }) => ({ url }),
  );
});

describe.skipIf(!hasRedis)('a cluster', () => {
  contractOn(
    'redis',
    () => RedisCluster.start(),
    ({ urls }) => ({ cluster: { nodes: urls } }),
  );
});

describe.skipIf(!hasRedis)('a server that a sentinel watches', () => {
  contractOn(
    'redis',
    () => RedisSentinel.start(),
    ({ urls }) => ({ sentinel: { name: 'test', nodes: urls } }),
  );
});
