/** What becomes of a revocation beyond the end of a process, and on a node that is away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { RENEWAL_SECRET, refused, startRenewingBackend } from '../helpers/brokers/renewing-backend.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted } from '../helpers/clients/grants.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { has, revoke } from './stage.ts';

const TEAM = 'private-team';

test('a block outlives a restart where there is a data directory, and so does its end', async () => {
  const data = await mkdtemp(join(tmpdir(), 'countersign-'));
  onTestFinished(() => rm(data, { recursive: true }));
  const before = await startServer({ config: { data } });
  const ban = (user_id: string) =>
    revoke(before, { target: { user_id }, action: 'disconnect', block_seconds: 600, reason: 'Out' });
  await ban('ann');
  const { body } = await ban('bob');
  await request(before, 'DELETE', `/revocations/${body.id}`);
  await before.close();

  const after = await startServer({ config: { data } });
  const [ann, bob] = [await connect(after), await connect(after)];
  expect(await ann.signIn({ id: 'ann' })).toBe(frames.error(4009, 'Out', 'blocked'));
  expect(await bob.signIn({ id: 'bob' })).toContain('signin_success');
});

test('a recheck ends what the backend refuses, and says about what it did not answer', async () => {
  const { url } = await startRenewingBackend(({ user_id }) =>
    user_id === 'eve' ? refused('Left') : { status: 500 },
  );
  const broker = await startServer({
    app: { grants: { renewal: { url, secret: RENEWAL_SECRET } } },
    config: { webhookAddresses: 'any' },
  });
  const [ann, eve] = [await connect(broker), await connect(broker)];
  await ann.join(TEAM, granted({ user: 'ann' }));
  await eve.join(TEAM, granted({ user: 'eve' }));
  const { status, body } = await revoke(broker, { target: { channel: TEAM }, action: 'recheck' });
  expect(status).toBe(200);
  expect(body).toMatchObject({ unanswered: 1 });
  expect(await eve.next()).toBe(frames.subscriptionError(TEAM, 'AuthError', 'Left', 403, 'grant_refused'));
  await publish(broker, TEAM, 'e', 'still here');
  expect(await ann.next()).toBe(frames.event('e', TEAM, 'still here'));
});

describe.skipIf(!hasRedis)('on several nodes', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test('a node that is away is named, and ends what it holds before it delivers anything', async () => {
    const valve = await Valve.open(redis.port);
    onTestFinished(() => valve.close());
    const settings = { redisPort: redis.port, prefix: 'away' };
    const [near, far] = await Promise.all([
      startNode(settings),
      startNode({ ...settings, redisPort: valve.port }),
    ]);
    const [ann, bob] = [await connect(far), await connect(far)];
    await ann.join(TEAM, granted({ user: 'ann' }));
    await bob.join(TEAM, granted({ user: 'bob' }));
    valve.shut();
    const answer = await revoke(near, { target: { user_id: 'ann' } });
    expect(answer).toMatchObject({
      status: 202,
      body: { pending: [expect.stringMatching(/^node-/)], nodes: { acknowledged: 1, total: 2 } },
    });
    await publish(near, TEAM, 'e', 'after');
    valve.cut();
    valve.reopen();
    expect(await ann.next()).toContain('grant_revoked');
    await bob.until((received) => received === frames.event('e', TEAM, 'after'));
    expect(await ann.join(TEAM, granted({ user: 'ann' }))).toContain('grant_revoked');
    expect(await ann.nothing()).toEqual([]);
  });

  test('a node that starts later knows what is in force', async () => {
    const settings = { redisPort: redis.port, prefix: 'later' };
    const first = await startNode(settings);
    await revoke(first, { target: { channel: TEAM }, block_seconds: 600, reason: 'Closed' });
    const second = await startNode(settings);
    const ann = await connect(second);
    expect(await ann.join(TEAM)).toSatisfy(has('blocked'));
  });
});
