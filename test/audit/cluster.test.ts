import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuditRecord, findAudit } from '../helpers/audit.ts';
import { startNodeOn } from '../helpers/brokers/configured-node.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const audit = { enabled: true };

/** Checks the chain of each node. */
function expectChains(records: readonly AuditRecord[]): void {
  const heads = new Map<string, AuditRecord>();
  for (const record of records) {
    const before = heads.get(record.node);
    const { hash, ...rest } = record;
    const canonical = JSON.stringify(
      Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))),
    );
    expect(hash).toBe(
      createHash('sha256')
        .update(record.prev + canonical)
        .digest('hex'),
    );
    expect([record.seq, record.prev]).toEqual([(before?.seq ?? 0) + 1, before?.hash ?? '0'.repeat(64)]);
    heads.set(record.node, record);
  }
}

describe.skipIf(!hasRedis)('the audit log of nodes on Redis', () => {
  let redis: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  const startNodes = (count: number, config: object = {}) => {
    prefixes += 1;
    const place = { url: redis.url, prefix: `audit-${prefixes}` };
    return Promise.all(
      Array.from({ length: count }, () => startNodeOn(place, { config: { audit, ...config } })),
    );
  };

  test('has a chain for each node, and every node finds the records of all', async () => {
    const nodes = await startNodes(2);
    const clients = await Promise.all(nodes.map((node) => connect(node)));
    for (let n = 0; n < 5; n += 1) {
      for (const client of clients) await client.join(`presence-${n}`, { user_id: 'ann' });
    }
    for (const node of nodes) {
      const records = await eventually(async () => {
        const found = await findAudit(node, { user_id: 'ann' });
        expect(found).toHaveLength(10);
        return found;
      });
      expect(new Set(records.map((record) => record.node)).size).toBe(2);
      expectChains(records);
      expect(await findAudit(node, { channel: 'presence-3', limit: '1' })).toHaveLength(2);
    }
  });

  test('goes on when Redis is back, with nothing lost and nothing twice', async () => {
    const [node] = await startNodes(1);
    const client = await connect(node!);
    await client.join('private-before');
    await eventually(async () => expect(await findAudit(node!)).toHaveLength(1));
    await redis.kill();
    client.subscribe('private-refused', { auth: 'key-1:wrong' });
    await node!.cli.logged('audit records cannot be written');
    await redis.start();
    await node!.cli.logged('audit records are written again');
    const types = async () => (await findAudit(node!)).map(({ type, seq }) => `${seq} ${type}`);
    // This Redis keeps nothing, so the record from before is gone with it.
    await eventually(async () => expect(await types()).toContain('2 grant_refused'));
    expect(new Set(await types()).size).toBe((await types()).length);
  });
});
