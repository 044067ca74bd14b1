/** Nodes of two versions on one Redis, as during an upgrade. */
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { RedisNode } from '../helpers/redis/node.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const PREFIX = 'test';
/** What a node answered before others could be asked for anything but revocations. */
const OLD_ANSWER = { subscriptions: 2, connections: 1, unanswered: 0, held: [] };

/** Answers all questions in the place of another node. */
async function answerAs(redis: RedisServer, node: string, answer: unknown): Promise<void> {
  const client = await createClient({ url: `redis://127.0.0.1:${redis.port}` }).connect();
  const publisher = await client.duplicate().connect();
  onTestFinished(() => {
    client.destroy();
    publisher.destroy();
  });
  await client.sSubscribe(`${PREFIX}:topic:{:commands}`, (envelope) => {
    const { id, replyTo } = JSON.parse(envelope).message;
    const confirmation = { question: id, node, answer };
    void publisher.sPublish(replyTo, JSON.stringify(confirmation));
  });
}

/** Two nodes, of which one does not answer by itself; its name is that in answers. */
async function startTwo() {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.stop());
  const [asking, silent] = [await RedisNode.start(redis, PREFIX), await RedisNode.start(redis, PREFIX)];
  for (const { adapter } of [asking, silent]) await adapter.bus.listen('app:news');
  silent.answer = () => new Promise(() => {});
  await asking.join('app:news', '1.1');
  await silent.join('app:news', '2.2');
  const { pending } = await asking.adapter.nodes.ask({ kind: 'keyUses', appId: 'app' });
  return { redis, asking, name: pending.join().slice('node-'.length) };
}

describe.skipIf(!hasRedis)('a node of an older version', () => {
  test('is heard: what its answer does not say is nothing', async () => {
    const { redis, asking, name } = await startTwo();
    await answerAs(redis, name, OLD_ANSWER);
    const answers = await asking.adapter.nodes.ask({ kind: 'keyUses', appId: 'app' });
    expect(answers).toMatchObject({ subscriptions: 2, connections: 1, keyUses: {}, total: 2, pending: [] });
  });

  test('that does not understand a newer question goes on, and is named as one that has not answered', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const asking = await RedisNode.start(redis, PREFIX);
    const old = await RedisNode.start(redis, PREFIX);
    await asking.adapter.bus.listen('app:news');
    await old.adapter.bus.listen('app:news');
    await Promise.all([asking.join('app:news', '1.1'), old.join('app:news', '2.2')]);
    const newer = { kind: 'fromTheFuture', appId: 'app' } as never;
    const { pending, total } = await asking.adapter.nodes.ask(newer);
    expect([pending.length, total]).toEqual([2, 2]);
    const { pending: none } = await asking.adapter.nodes.ask({ kind: 'keyUses', appId: 'app' });
    expect(none).toEqual([]);
    await asking.publish('app:news', 'end');
    expect(await old.heard('end')).toEqual([]);
  });
});

describe.skipIf(!hasRedis)('a node of a newer version', () => {
  test.each([{ ...OLD_ANSWER, steps: [{ kind: 'fromTheFuture' }] }, null, 'x'])(
    'whose answer cannot be read counts as one that has not answered: %j',
    async (answer) => {
      const { redis, asking, name } = await startTwo();
      await answerAs(redis, name, answer);
      const { pending } = await asking.adapter.nodes.ask({ kind: 'keyUses', appId: 'app' });
      expect(pending).toEqual([`node-${name}`]);
      await asking.publish('app:news', 'end');
      expect(await asking.heard('end')).toEqual([]);
    },
  );
});
