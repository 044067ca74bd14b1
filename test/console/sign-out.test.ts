import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNode } from '../helpers/brokers/running-node.ts';
import { type RunningGroup, startWorkers } from '../helpers/brokers/workers.ts';
import type { TestClient } from '../helpers/clients/client.ts';
import { connectLive, startLivePage, Visitor } from '../helpers/console.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

/** Each on a connection of its own, so that every worker gets some of them. */
const REQUESTS = 12;

test('a sign-out at one worker ends the session on all of them', async () => {
  const group = await startWorkers();
  const visitor = new Visitor(group);
  await visitor.signIn();
  const other = new Visitor(group);
  await other.signIn();
  const pages = [await subscribeOn(group, visitor, 1), await subscribeOn(group, visitor, 2)];
  const copy = visitor.cookie;
  expect(await statuses(group, copy)).toEqual(Array(REQUESTS).fill(200));

  await visitor.ask('DELETE', 'session');
  for (const page of pages) await untilEvicted(page);
  expect(await statuses(group, copy)).toEqual(Array(REQUESTS).fill(401));
  expect(await statuses(group, other.cookie)).toEqual(Array(REQUESTS).fill(200));
}, 60_000);

describe.skipIf(!hasRedis)('with two nodes on one Redis', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test('a sign-out at one node ends the session on the other', async () => {
    const settings = { redisPort: redis.port, prefix: 'sign-out' };
    const [near, far] = await Promise.all([startNode(settings), startNode(settings)]);
    const visitor = new Visitor(near);
    await visitor.signIn();
    const elsewhere = new Visitor(far);
    elsewhere.cookie = visitor.cookie;
    const other = await startLivePage(far);
    const { client, channel, grant } = await connectLive(far, elsewhere);
    await subscribe(client, channel, grant);
    const copy = elsewhere.cookie;

    await visitor.ask('DELETE', 'session');
    await untilEvicted(client);
    elsewhere.cookie = copy;
    expect(await elsewhere.ask('GET', 'session')).toMatchObject({ status: 401 });
    expect(await other.watch()).toMatchObject({ status: 200 });
  });
});

async function subscribeOn(group: RunningGroup, visitor: Visitor, worker: number): Promise<TestClient> {
  for (;;) {
    const { client, channel, grant } = await connectLive(group, visitor);
    if ((await group.workerOf(client.socketId)) !== worker) continue;
    await subscribe(client, channel, grant);
    return client;
  }
}

async function subscribe(client: TestClient, channel: string, grant: object): Promise<void> {
  client.subscribe(channel, grant);
  const { event } = await client.nextMessage();
  expect(event).toBe('pusher_internal:subscription_succeeded');
}

/** Waits until a page gets no more live data. */
async function untilEvicted(client: TestClient): Promise<void> {
  while ((await client.nextMessage()).event !== 'pusher:subscription_error');
}

async function statuses(group: RunningGroup, cookie: string): Promise<readonly number[]> {
  const headers = { cookie, 'X-Countersign-Console': '1', Connection: 'close' };
  const answers = Array.from({ length: REQUESTS }, () =>
    fetch(`${group.url}/console/api/session`, { headers }),
  );
  return (await Promise.all(answers)).map(({ status }) => status);
}
