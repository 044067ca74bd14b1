import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { configOf, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';
import { NODE_TIMEOUT_SECONDS } from '../helpers/redis/node-timeout.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const LINKS = ['commands', 'messages', 'webhooks', 'webhook messages'];

/** The samples of a node of which each connection was lost at least this many times: on a busy machine a new one may time out. */
function lost(times: number): Record<string, unknown> {
  const enough = expect.toSatisfy((count: unknown) => (times === 0 ? count === 0 : Number(count) >= times));
  return Object.fromEntries(
    LINKS.map((link) => [`countersign_redis_reconnects_total{link="${link}"}`, enough]),
  );
}

describe.skipIf(!hasRedis)('the metrics of a cluster', () => {
  let redis: RedisServer;
  let prefix = '';
  beforeAll(async () => {
    redis = await RedisServer.start(['--appendonly', 'yes']);
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    prefix = `test-${Math.random()}`;
  });

  const settings = (port = redis.port) => ({
    nodeTimeoutSeconds: NODE_TIMEOUT_SECONDS,
    redis: { url: `redis://127.0.0.1:${port}`, prefix },
  });
  const tell = async ({ url }: { readonly url: string }) =>
    Object.fromEntries(await readSamples(`${url}/metrics`));
  const told = (node: { readonly url: string }, samples: object) =>
    eventually(async () => expect(await tell(node)).toMatchObject(samples));

  /** Waits until a metric of all nodes has this sum. */
  const toldTogether = (nodes: readonly { readonly url: string }[], sample: string, sum: number) =>
    eventually(async () => {
      const each = await Promise.all(nodes.map(tell));
      expect(each.reduce((total, samples) => total + samples[sample]!, 0)).toBe(sum);
    });

  test('a Redis that is killed and comes back', async () => {
    const node = await startServer({ config: settings() });
    const well = {
      countersign_degraded: 0,
      countersign_nodes_lapsed_total: 0,
      countersign_webhook_leader: 1,
      countersign_webhook_journal_entries: 0,
    };
    await told(node, { ...well, ...lost(0) });
    const heartbeat = (await tell(node))['countersign_redis_heartbeat_seconds'];
    expect(heartbeat).toBeGreaterThan(0);
    expect(heartbeat).toBeLessThan(NODE_TIMEOUT_SECONDS);
    await redis.kill();
    await told(node, { countersign_degraded: 1, countersign_webhook_leader: 0, ...lost(1) });
    await redis.start();
    await told(node, { ...well, ...lost(1) });
  });

  test('a node that is killed lapses once, and another one becomes the leader', async () => {
    const dead = await MortalBroker.start(configOf({ config: settings() }));
    await told(dead.broker, { countersign_webhook_leader: 1 });
    const client = await connect(dead.broker);
    await client.join('news');
    await client.join('presence-room', { user_id: 'ann' });
    const others = await Promise.all([1, 2].map(() => startServer({ config: settings() })));
    await toldTogether(others, 'countersign_webhook_leader', 0);
    await dead.end('SIGKILL');
    await toldTogether(others, 'countersign_webhook_leader', 1);
    await toldTogether(others, 'countersign_nodes_lapsed_total', 1);
  });

  test('a node that comes back in time has not lapsed', async () => {
    const valve = await Valve.open(redis.port);
    const { log, lines } = recordLog();
    const back = await startServer({ config: settings(valve.port), parts: { log } });
    const other = await startServer({ config: settings(), parts: { log } });
    const client = await connect(back);
    await client.join('news');
    valve.cut();
    await told(back, { countersign_degraded: 0, ...lost(1) });
    // One of the two nodes cleans up the id that the node had before its connection broke.
    await eventually(() =>
      expect(lines).toContainEqual(expect.objectContaining({ msg: 'dead node cleaned up' })),
    );
    for (const node of [back, other])
      expect(await tell(node)).toMatchObject({ countersign_nodes_lapsed_total: 0 });
    valve.close();
  });

  test('workers are one node', async () => {
    const own = await RedisServer.start();
    const group = await startWorkers({ config: settings(own.port) });
    await told(group, { countersign_degraded: 0, countersign_webhook_leader: 1, ...lost(0) });
    expect((await tell(group))['countersign_redis_heartbeat_seconds']).toBeGreaterThan(0);
    await own.kill();
    await told(group, { countersign_degraded: 1, ...lost(1) });
    await own.stop();
  });

  test('a node without a cluster has no metrics of one', async () => {
    const samples = Object.keys(await tell(await startServer()));
    expect(samples).toContain('countersign_degraded');
    expect(samples.filter((name) => /redis|lapsed|leader|journal/.test(name))).toEqual([]);
  });
});
