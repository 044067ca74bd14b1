/** Redis is killed and comes back empty: no subscriber keeps outdated state. */
import { expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const ROOM = 'presence-room';

async function startRedis(): Promise<RedisServer> {
  const redis = await RedisServer.start();
  onTestFinished(() => redis.stop());
  return redis;
}

/** The number of clients of a node. */
async function connections({ url }: { readonly url: string }): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^countersign_connections\{[^}]*\} (\d+)$/m.exec(metrics)?.[1]);
}

/** A member that keeps the list as a stock client does. */
class Member {
  readonly list = new Set<string>();

  constructor(
    readonly client: TestClient,
    readonly id: string,
  ) {}

  async join(): Promise<void> {
    this.#read(await this.client.join(ROOM, { user_id: this.id }));
    void this.#follow();
  }

  async #follow(): Promise<void> {
    for (;;) {
      const received = await this.client.next(300_000).catch(() => undefined);
      if (typeof received !== 'string') return;
      this.#read(received);
    }
  }

  #read(received: unknown): void {
    const { event, data } = JSON.parse(String(received));
    const told = typeof data === 'string' ? JSON.parse(data) : {};
    if (event === 'pusher_internal:subscription_succeeded') {
      this.list.clear();
      for (const id of told.presence.ids) this.list.add(id);
    }
    if (event === 'pusher_internal:member_added') this.list.add(told.user_id);
    if (event === 'pusher_internal:member_removed') this.list.delete(told.user_id);
  }
}

test.skipIf(!hasRedis)(
  'members who leave while Redis is away leave for all nodes',
  { timeout: 120_000 },
  async () => {
    const redis = await startRedis();
    const nodes = await Promise.all([1, 2, 3].map(() => startNode({ redisPort: redis.port })));
    const members = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        const member = new Member(await connect(nodes[n % 3]!), `user-${n}`);
        await member.join();
        return member;
      }),
    );
    const all = new Set(members.map(({ id }) => id));
    await eventually(async () => members.forEach(({ list }) => void expect(list).toEqual(all)));

    await redis.kill();
    await Promise.all(
      nodes.map((node) =>
        eventually(async () => expect(await node.ready()).toMatchObject({ body: { status: 'degraded' } })),
      ),
    );
    const [gone, stay] = [members.slice(0, 6), members.slice(6)];
    for (const { client } of gone) client.close();
    await eventually(async () => {
      const counts = await Promise.all(nodes.map(connections));
      expect(counts.reduce((sum, count) => sum + count)).toBe(stay.length);
    });
    await redis.start();

    const left = new Set(stay.map(({ id }) => id));
    await eventually(async () => stay.forEach(({ list }) => void expect(list).toEqual(left)), 30_000);
    for (const node of nodes) {
      const { body } = await request(node, 'GET', `/channels/${ROOM}/users`);
      expect(new Set((body as { users: { id: string }[] }).users.map(({ id }) => id))).toEqual(left);
    }
    // What happens from then on reaches all members once.
    const late = new Member(await connect(nodes[0]!), 'late');
    await late.join();
    await eventually(async () =>
      [...stay, late].forEach(({ list }) => void expect(list).toEqual(new Set([...left, 'late']))),
    );
    late.client.close();
    await eventually(async () => stay.forEach(({ list }) => void expect(list).toEqual(left)));
  },
);

test.skipIf(!hasRedis)(
  'a name that nobody is in any more is forgotten in seconds',
  { timeout: 60_000 },
  async () => {
    const redis = await startRedis();
    const node = await startNode({ redisPort: redis.port, prefix: 'names' });
    const client = await connect(node);
    await client.join('stays');
    for (let n = 0; n < 30; n += 1) {
      await client.join(`name-${n}`);
      client.unsubscribe(`name-${n}`);
    }
    expect(await client.nothing()).toEqual([]);
    const keys = async () => (await redis.command('KEYS', 'names:topic:*')) as string[];
    await eventually(async () =>
      expect((await keys()).filter((key) => key.includes('seats'))).toHaveLength(1),
    );
    await redis.age(5000);
    expect((await keys()).filter((key) => key.includes('name-'))).toEqual([]);
    await redis.age(24 * 3600 * 1000);
    await publish(node, 'stays', 'e', 'still here');
    expect(await client.next()).toBe(frames.event('e', 'stays', 'still here'));
  },
);
