import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryRevocations } from '#server/adapter/memory/revocations';
import { request } from '../helpers/api.ts';
import { ok, startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';
import { smallDisk } from '../helpers/small-disk.ts';

/** A broker that keeps what it tells in a folder. */
async function startKept(folder: string, url: string, events: readonly string[], config: object = {}) {
  const { log, lines } = recordLog('info');
  const broker = await startServer({
    app: { webhooks: [{ id: 'backend', url, events }] },
    limits: { framesPerSecond: 100_000, clientEventsPerSecond: 100_000 },
    config: { data: join(folder, 'data'), webhookGraceSeconds: 0, ...config },
    parts: { log },
  });
  const said = (msg: string) => lines.filter((line) => line.msg === msg);
  return { broker, lines, said };
}

describe('a full disk', () => {
  test('ends nobody: events are lost and counted, and told again once there is room', async ({ skip }) => {
    const disk = smallDisk();
    if (!disk) return skip('no small disk can be mounted here');
    const receiver = await startReceiver();
    const { broker, said } = await startKept(disk.folder, receiver.url(), [
      'channel_occupied',
      'channel_vacated',
    ]);
    const client = await connect(broker);
    disk.fill();
    const name = (n: number) => `news-${n}`.padEnd(150, 'x');
    for (let n = 0; said('webhook events could not be committed').length === 0; n += 1) {
      client.subscribe(name(n % 20));
      client.unsubscribe(name(n % 20));
      await client.nothing();
    }
    for (let n = 0; n < 100; n += 1) client.subscribe(name(n));
    await client.nothing();
    const samples = await readSamples(broker.metricsUrl!);
    expect(samples.get(`countersign_webhook_events_lost_total{app="${APP.id}"}`)).toBeGreaterThan(0);

    disk.free();
    client.subscribe('fresh');
    await receiver.until(({ events }) => events.some(({ channel }) => channel === 'fresh'));
    let n = 0;
    await eventually(() => {
      n += 1;
      client.subscribe(`fresh-${n}`);
      client.unsubscribe(`fresh-${n}`);
      expect(said('webhook events are committed again')).toHaveLength(1);
    });
    expect(said('webhook events could not be committed')).toHaveLength(1);
  });

  test('does not keep a user in who is to be ended and blocked', async ({ skip }) => {
    const disk = smallDisk();
    if (!disk) return skip('no small disk can be mounted here');
    const { broker, said } = await startKept(disk.folder, 'http://127.0.0.1:9/', ['client_event']);
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.signIn({ id: 'ann' });
    await bob.join('presence-room', { user_id: 'bob' });
    disk.fill();
    // What the file has left of room is used up.
    while (said('webhook events could not be committed').length === 0) {
      bob.trigger('presence-room', 'client-x', 'x'.repeat(9000));
      await bob.nothing();
    }

    const body = { reason: 'banned', block: 3600 };
    const terminated = await request(broker, 'POST', '/users/ann/terminate_connections', { body });
    expect(terminated).toMatchObject({ status: 200, body: { block_persisted: false } });
    expect(await ann.closed()).toMatchObject({ reason: 'banned' });
    const removed = await request(broker, 'POST', '/channels/presence-room/subscriptions/remove', {
      body: { ...body, user_id: 'bob' },
    });
    expect(removed).toMatchObject({ status: 200, body: { removed: 1, block_persisted: false } });
    const again = await connect(broker);
    expect(JSON.stringify(await again.signIn({ id: 'ann' }))).toContain('4009');
    expect(said('revocations cannot be kept on the disk: they hold in memory meanwhile')).toHaveLength(1);

    disk.free();
    const kept = await request(broker, 'POST', '/users/ann/terminate_connections', { body });
    expect(kept).toMatchObject({ status: 200, body: {} });
  });
});

test('a revocation that could not be saved is saved later, as long as it is in force', async () => {
  let fails = true;
  const saved: string[] = [];
  const store = {
    standing: [],
    save: async ({ id }: { id: string }) => {
      if (fails) throw new Error('full');
      saved.push(id);
    },
    forget: async () => {},
  };
  let now = 1000;
  const revocations = new MemoryRevocations({ now: () => now, monotonic: () => now }, store);
  const target = { userId: 'ann' };
  const ban = {
    appId: 'app-1',
    target,
    action: 'end',
    reason: 'banned',
    at: 0,
    blockedUntil: 100_000,
  } as const;
  const bounds = { count: 10, bytes: 10_000 };
  await revocations.keep({ ...ban, id: 'ann' }, bounds);
  await revocations.keep({ ...ban, id: 'bob', blockedUntil: 2000 }, bounds);
  expect(await revocations.isPersisted('app-1', 'ann')).toBe(false);
  expect((await revocations.page()).revocations).toMatchObject([{ id: 'ann' }, { id: 'bob' }]);
  now = 3000;
  fails = false;
  revocations.sweep();
  expect(await revocations.isPersisted('app-1', 'ann')).toBe(true);
  revocations.sweep();
  expect(saved).toEqual(['ann']);
});

test('a receiver that fails: each attempt is on the disk, the pauses grow, and in the end there is a dead letter', async () => {
  const receiver = await startReceiver();
  receiver.reply = status(500, {}, 'no');
  const { broker, lines } = await startKept(newFolder(), receiver.url(), ['channel_occupied'], {
    webhookRetrySeconds: 5,
  });
  const client = await connect(broker);
  for (let n = 0; n < 3; n += 1) await client.join(`news-${n}`);
  const deliveries = async (state: string) => {
    const { body } = await request(broker, 'GET', '/webhooks/backend/deliveries', { query: { state } });
    return (body as { deliveries: { tries: number; attempts: { at: number }[] }[] }).deliveries;
  };
  await expect.poll(() => deliveries('dead')).not.toEqual([]);
  const [dead] = await deliveries('dead');
  expect(dead!.tries).toBeGreaterThanOrEqual(2);
  const { body } = await request(broker, 'GET', '/webhook_events', { query: { limit: '100' } });
  expect(body).toMatchObject({ last_seq: 3 });
  expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
});

describe('the data thread', () => {
  test('is replaced when it dies, and everything goes on', async () => {
    const workers: Worker[] = [];
    const note = (worker: Worker) => workers.push(worker);
    process.on('worker', note);
    onTestFinished(() => void process.off('worker', note));
    const receiver = await startReceiver();
    const { broker, said } = await startKept(newFolder(), receiver.url(), ['channel_occupied']);
    const client = await connect(broker);
    receiver.reply = status(500);
    await client.join('before');
    await receiver.next();
    await workers.at(-1)!.terminate();
    expect(await (await fetch(`${broker.url}/ready`)).json()).toMatchObject({
      status: 'degraded',
      reason: 'The data directory is not open',
    });
    client.subscribe('meanwhile');
    await client.until((frame) => String(frame).includes('subscription_succeeded'));
    await expect.poll(() => said('data thread replaced')).toHaveLength(1);
    expect(await (await fetch(`${broker.url}/ready`)).json()).toEqual({ status: 'ready' });
    receiver.reply = ok;
    client.subscribe('after');
    await receiver.until(({ events: [event] }) => event?.channel === 'after');
    const hooks = async () => (await request(broker, 'GET', '/webhooks')).body;
    await expect
      .poll(hooks)
      .toMatchObject({ webhooks: [{ deliveries: { pending: 0, failing: 0, dead: 0 } }] });
  });
});

test('nobody else may read what is kept, also where the files were there before', async () => {
  const folder = newFolder();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o755 });
  writeFileSync(join(data, 'countersign.db'), '', { mode: 0o644 });
  chmodSync(join(data, 'countersign.db'), 0o644);
  const { broker } = await startKept(folder, 'http://127.0.0.1:9/', ['channel_occupied']);
  await (await connect(broker)).join('news');
  const modes = readdirSync(data).map((file) => [file, statSync(join(data, file)).mode & 0o777]);
  expect(modes).toEqual(modes.map(([file]) => [file, 0o600]));
  expect(modes.length).toBeGreaterThan(1);
});
