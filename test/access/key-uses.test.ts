/** When keys were used last is known beyond the end of whoever has seen it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const SECRET = 'a-secret-of-thirty-two-characters';
const keys = ['old', 'new'].map((key) => ({ key, secret: SECRET }));
const signedBy = (key: string) => ({ id: APP.id, key, secret: SECRET });
const unused = { subscribe: null, publish: null, read: null, sign_in: null };

async function folder(): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'countersign-'));
  onTestFinished(() => rm(data, { recursive: true }));
  return data;
}

/** When a key was used last, as asked with the other key. */
async function usesOf(broker: { readonly url: string }, key: string): Promise<unknown> {
  const { body } = await request(broker, 'GET', '/keys', { app: signedBy('new') });
  return (body as { keys: { key: string; last_used_at: unknown }[] }).keys.find((each) => each.key === key)
    ?.last_used_at;
}

/** Uses the old key for everything. @returns the time that it must have been used at, at the earliest */
async function use(broker: {
  readonly url: string;
  readonly host: string;
  readonly port: number;
}): Promise<number> {
  const from = Math.floor(Date.now() / 1000);
  const client = await connect(broker, signedBy('old'));
  await client.join('private-a');
  await client.signIn({ id: 'ann' });
  await publish(broker, 'private-a', 'e', 'x', {}, signedBy('old'));
  await request(broker, 'GET', '/channels', { app: signedBy('old') });
  client.close();
  return from;
}

/** Expects every use since then. */
function all(from: number): object {
  const at = expect.toSatisfy((time: number) => time >= from && time <= Date.now() / 1000);
  return { subscribe: at, publish: at, read: at, sign_in: at };
}

test('with a data directory they outlive a restart, and a key that was never used stays so', async () => {
  const config = { data: await folder() };
  const app = { keys: [...keys, { key: 'idle', secret: SECRET }] };
  const before = await startServer({ app, config });
  const from = await use(before);
  const seen = await usesOf(before, 'old');
  expect(seen).toEqual(all(from));
  await before.close();
  const after = await startServer({ app, config });
  expect(await usesOf(after, 'old')).toEqual(seen);
  expect(await usesOf(after, 'idle')).toEqual(unused);
  await use(after);
  expect(await usesOf(after, 'old')).toEqual(all(from));
});

test('workers write them through their parent', { timeout: 60_000 }, async () => {
  const config = { data: await folder() };
  const before = await startWorkers({ app: { keys }, config });
  const from = await use(before);
  before.cli.signal('SIGTERM');
  await before.cli.result();
  const after = await startWorkers({ app: { keys }, config });
  expect(await usesOf(after, 'old')).toEqual(all(from));
});

describe.skipIf(!hasRedis)('on Redis', { timeout: 60_000 }, () => {
  test('they outlive the node that has seen them', async () => {
    const redis = await RedisServer.start();
    onTestFinished(() => redis.stop());
    const settings = { redisPort: redis.port, app: { keys } };
    const [one, two] = [await startNode(settings), await startNode(settings)];
    const from = await use(one);
    expect(await usesOf(two, 'old')).toEqual(all(from));
    one.cli.signal('SIGTERM');
    await one.cli.result();
    expect(await usesOf(two, 'old')).toEqual(all(from));
  });
});
