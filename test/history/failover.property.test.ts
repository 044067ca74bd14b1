/** Redis that loses its latest writes in a failover, again and again, also to a server whose clock is behind. */
import type { Broker } from '@countersign/server';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { eventually } from '../helpers/eventually.ts';
import { numRuns, PROPERTY_TIMEOUT_MS } from '../helpers/property.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { Reader } from './reader.ts';

const NODES = 2;
const READERS = 4;
const history = [{ channels: '*', seconds: 3600, messages: 10_000 }];

type Command =
  | { readonly do: 'publish' | 'open' | 'shut'; readonly node: number }
  | { readonly do: 'resume' | 'cut'; readonly who: number }
  | { readonly do: 'replicate' | 'failOver' | 'runAhead' };

const node = fc.nat(NODES - 1);
const who = fc.nat(READERS - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('publish'), node }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('resume'), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut'), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('replicate') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('failOver') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('runAhead') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('shut'), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('open'), node }) },
);

/** Copies all that one database has into another, as it is at this moment. */
const COPY = `
  redis.call('SELECT', ARGV[2])
  for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('DEL', key) end
  redis.call('SELECT', ARGV[1])
  for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', ARGV[2]) end`;
/** The server's clock is a minute ahead of that of the next one: the version of a topic is that of its latest change. */
const RUN_AHEAD = `
  for _, key in ipairs(redis.call('KEYS', '*news-*:state')) do
    redis.call('HINCRBY', key, 'version', 60000000)
  end`;
const MASTER = '0';
const REPLICA = '1';

class Cluster {
  private constructor(
    readonly redis: RedisServer,
    readonly nodes: readonly Broker[],
    readonly valves: readonly Valve[],
  ) {}

  static async start(): Promise<Cluster> {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const valves = [];
    const nodes = [];
    for (let n = 0; n < NODES; n += 1) {
      const valve = await Valve.open(redis.port);
      onTestFinished(() => valve.close());
      valves.push(valve);
      const limits = { framesPerSecond: 10_000, httpRequestsPerSecond: null };
      const settings = { redis: { url: `redis://127.0.0.1:${valve.port}` } };
      nodes.push(await startServer({ config: settings, app: { history, limits } }));
    }
    return new Cluster(redis, nodes, valves);
  }

  replicate(): Promise<unknown> {
    return this.redis.command('EVAL', COPY, '0', MASTER, REPLICA);
  }

  /** The replica takes over with what it has got, and all connections break. */
  async failOver(): Promise<void> {
    await this.redis.command('EVAL', COPY, '0', REPLICA, MASTER);
    for (const type of ['normal', 'pubsub']) await this.redis.command('CLIENT', 'KILL', 'TYPE', type);
  }

  runAhead(): Promise<unknown> {
    return this.redis.command('EVAL', RUN_AHEAD, '0');
  }
}

const publishAt = (broker: Broker, channel: string, id: number) =>
  request(broker, 'POST', '/events', { body: { channel, name: 'e', data: String(id) } });

/** The ids of all events that the history has. */
async function survivorsOf(broker: Broker, channel: string): Promise<number[]> {
  const path = `/channels/${channel}/events`;
  const { body } = await request(broker, 'GET', path, { query: { limit: '1000' } });
  return (body as { events: { data: string }[] }).events.map(({ data }) => Number(data));
}

async function run(cluster: Cluster, channel: string, commands: readonly Command[]): Promise<void> {
  const { nodes, valves } = cluster;
  const readers = Array.from({ length: READERS }, () => new Reader());
  const nodeOf = (index: number) => nodes[index % NODES]!;
  let published = 0;
  await cluster.replicate();
  for (const each of commands) {
    switch (each.do) {
      case 'publish':
        // What is refused or in doubt is not asked for again: it may be there, or not.
        await publishAt(nodes[each.node]!, channel, published);
        published += 1;
        break;
      case 'resume':
        await readers[each.who]!.resume(nodeOf(each.who), channel);
        break;
      case 'cut':
        readers[each.who]!.cut();
        break;
      case 'shut':
        valves[each.node]!.shut();
        break;
      case 'open':
        valves[each.node]!.reopen();
        break;
      default:
        await cluster[each.do]();
    }
  }
  for (const valve of valves) valve.reopen();
  for (const [index, reader] of readers.entries()) {
    await eventually(async () => {
      if (!reader.isIn) await reader.resume(nodeOf(index), channel);
      await reader.acknowledged();
      expect(reader.isIn).toBe(true);
    });
  }
  // Whoever is closed by the broker comes back, as a client does.
  await eventually(async () => {
    const last = published;
    published += 1;
    await publishAt(nodes[0]!, channel, last);
    for (const [index, reader] of readers.entries()) {
      if (!reader.isIn) await reader.resume(nodeOf(index), channel);
      await reader.acknowledged();
    }
    await eventually(
      () => expect(readers.map(({ run }) => run.at(-1))).toEqual(readers.map(() => String(last))),
      2000,
    );
  });
  const survivors = await survivorsOf(nodes[0]!, channel);
  for (const { runs, run } of readers) {
    for (const ids of [...runs, run].map((each) => each.map(Number))) {
      expect(ids, 'in order, and nothing twice').toEqual([...new Set(ids)].sort((a, b) => a - b));
      const missing = survivors.filter((id) => id > ids[0]! && id < ids.at(-1)! && !ids.includes(id));
      expect(missing, 'no event that Redis still has was passed over without a word').toEqual([]);
    }
  }
}

describe.skipIf(!hasRedis)('any schedule of failovers', () => {
  test(
    'that lose the latest writes, of publishing, cutting and resuming leaves no gap that a client is not told of, and nothing twice',
    async () => {
      const cluster = await Cluster.start();
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(command, { minLength: 10, maxLength: 40 }), async (commands) => {
          runs += 1;
          await run(cluster, `news-${runs}`, commands);
        }),
        { numRuns: numRuns(6), endOnFailure: true },
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});
