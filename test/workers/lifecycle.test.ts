/** How workers begin, end, and are replaced. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { type ReceivedEvent, startReceiver } from '../helpers/brokers/receiver.ts';
import { RunningGroup, startWorkers } from '../helpers/brokers/workers.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { listenToAll } from '../helpers/clients/event-inbox.ts';
import { join } from '../helpers/clients/official.ts';
import { frames } from '../helpers/frames.ts';

describe('a worker that is killed', () => {
  test('leaves everything, once, and is replaced', async () => {
    const group = await startWorkers({ app: { limits: { connections: 5 } } });
    const ann = await group.connectTo(1);
    await ann.join('presence-room', { user_id: 'ann' });
    const [bob, cid] = [await group.connectTo(2), await group.connectTo(2)];
    await bob.join('presence-room', { user_id: 'bob' });
    await cid.join('presence-room', { user_id: 'cid' });
    await ann.until((frame) => String(frame).includes('cid'));

    await group.killWorker(2);
    await Promise.all([bob.closed(), cid.closed()]);
    const removed = [await ann.next(), await ann.next()];
    expect(removed.toSorted()).toEqual(['bob', 'cid'].map((id) => frames.memberRemoved('presence-room', id)));
    expect(await ann.nothing()).toEqual([]);
    expect((await request(group, 'GET', '/channels/presence-room/users')).body).toEqual({
      users: [{ id: 'ann' }],
    });

    // Both places are free again, and the new worker takes its part.
    const clients = [];
    for (let n = 0; n < 4; n += 1) clients.push(await connect(group));
    expect(await open(group).closed()).toMatchObject({ code: 4004 });
    for (const client of clients) await client.join('news');
    await publish(group, 'news', 'headline', 'one');
    for (const client of clients) expect(await client.next()).toBe(frames.event('headline', 'news', 'one'));
    expect(await group.cli.logged('worker ended')).toMatchObject({
      worker: 2,
      code: null,
      signal: 'SIGKILL',
    });
    expect(await group.metrics()).toMatchObject({
      countersign_workers: 2,
      countersign_workers_ended_total: 1,
    });
  });

  test('is told to subscribers and backends as a disconnection of each', async () => {
    const receiver = await startReceiver();
    const events = ['member_added', 'member_removed', 'channel_vacated'];
    const group = await startWorkers({
      config: { webhookGraceSeconds: 0 },
      app: { subscriptionCount: true, webhooks: [{ url: receiver.url(), events }] },
    });
    const [ann, bob] = [await group.connectTo(1), await group.connectTo(2)];
    await ann.join('news');
    await ann.next();
    await bob.join('news');
    for (const client of [ann, bob]) expect(await client.next()).toBe(frames.count('news', 2));
    await bob.join('presence-room', { user_id: 'bob' });
    await group.killWorker(2);
    expect(await ann.next()).toBe(frames.count('news', 1));
    const told: ReceivedEvent[] = [];
    while (told.length < 3) told.push(...(await receiver.next()).events);
    expect(told).toMatchObject([
      { name: 'member_added', user_id: 'bob' },
      { name: 'member_removed', user_id: 'bob', reason: 'disconnected' },
      { name: 'channel_vacated', channel: 'presence-room', reason: 'disconnected' },
    ]);
  });

  test('is what pusher-js comes back from', async () => {
    const group = await startWorkers();
    const [ann, bob] = [await group.pusherTo(1), await group.pusherTo(2)];
    const inboxes = [listenToAll(await join(ann, 'news')), listenToAll(await join(bob, 'news'))];
    await group.killWorker(2);
    expect((await inboxes[1]!.next())[0]).toBe('pusher:subscription_succeeded');
    await publish(group, 'news', 'headline', '"one"');
    for (const inbox of inboxes) expect(await inbox.next()).toEqual(['headline', 'one']);
  });

  test('leaves the others in their balancer while it is replaced', async () => {
    const group = await startWorkers();
    process.kill(await group.pidOf(2), 'SIGKILL');
    await group.cli.logged('worker ended');
    const answers = [];
    do answers.push(await group.ready());
    while (answers.at(-1)?.body['status'] !== 'ready');
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]?.body).toEqual({ status: 'degraded', reason: '1 of 2 workers are being replaced' });
  });
});

describe('the parent', () => {
  test('ends with 0 once all workers have drained', async () => {
    const group = await startWorkers();
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    group.cli.signal('SIGTERM');
    for (const client of clients) expect(await client.closed()).toMatchObject({ code: 4200 });
    expect(await group.cli.result()).toMatchObject({ code: 0, signal: null });
    expect(group.cli.count('drained')).toBe(2);
    expect(group.cli.count('worker ended')).toBe(0);
  });

  test('is not ready while it drains', async () => {
    const group = await startWorkers({ config: { drainWindowSeconds: 4 } });
    // One leaves every tenth of a second, so the last ones stay until the window ends.
    const clients = [];
    for (const worker of [1, 2]) for (let n = 0; n < 40; n += 1) clients.push(await group.connectTo(worker));
    group.cli.signal('SIGTERM');
    await clients[0]!.closed();
    expect(await group.ready()).toEqual({ status: 503, body: { status: 'draining' } });
    expect(await open(group).closed()).toMatchObject({ code: 4100 });
    expect(await group.cli.result()).toMatchObject({ code: 0 });
  });

  test('ends gracefully when it is told to while it starts', async () => {
    const group = new RunningGroup({});
    onTestFinished(() => group.close());
    await group.cli.line('semi-space-size');
    group.cli.signal('SIGTERM');
    expect(await group.cli.result()).toMatchObject({ code: 0, signal: null });
    expect(group.cli.count('drained')).toBe(2);
    expect(group.cli.count('all workers drained')).toBe(1);
  });

  test('ends at once at a second signal', async () => {
    const group = await startWorkers({ config: { drainWindowSeconds: 20 } });
    const clients = [await group.connectTo(1), await group.connectTo(1)];
    group.cli.signal('SIGTERM');
    await clients[0]!.closed();
    group.cli.signal('SIGTERM');
    expect(await group.cli.result()).toMatchObject({ code: 1 });
    expect(await clients[1]!.closed()).toMatchObject({ code: 1006 });
  });

  test('leaves no worker behind that hangs', async () => {
    const group = await startWorkers({ config: { drainWindowSeconds: 20 } });
    process.kill(await group.pidOf(2), 'SIGSTOP');
    group.cli.signal('SIGTERM');
    await group.cli.logged('stopping');
    group.cli.signal('SIGTERM');
    // Its end is that of all that have its standard output.
    expect(await group.cli.result()).toMatchObject({ code: 1 });
  });

  test('takes its workers along when it is killed', async () => {
    const group = await startWorkers();
    const clients = [await group.connectTo(1), await group.connectTo(2)];
    group.cli.signal('SIGKILL');
    for (const client of clients) expect(await client.closed()).toMatchObject({ code: 1006 });
  });

  test('is alone in acting on a signal to all', async () => {
    const group = await startWorkers();
    const client = await group.connectTo(1);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(await group.pidOf(1), name);
    expect(await client.nothing()).toEqual([]);
  });

  test('hands the apps of a reload to all workers, and to those who come later', async () => {
    const group = await startWorkers();
    const keys = [{ key: 'new-key', secret: 'new-secret' }];
    const newKey = '/app/new-key?protocol=7';
    group.configure({ app: { keys } });
    const old = [await group.connectTo(1), await group.connectTo(2)];
    group.cli.signal('SIGHUP');
    for (const client of old) expect(await client.closed()).toMatchObject({ code: 4001 });
    for (let n = 0; n < 4; n += 1) await open(group, newKey).established();
    await group.killWorker(1);
    for (let n = 0; n < 4; n += 1) await open(group, newKey).established();
  });

  test('hands its flags to the workers', async () => {
    const group = await startWorkers({ nodeFlags: ['--max-semi-space-size=4'] });
    for (const worker of [1, 2]) {
      const commandLine = readFileSync(`/proc/${await group.pidOf(worker)}/cmdline`, 'utf8');
      expect(commandLine.split('\0')).toContain('--max-semi-space-size=4');
    }
  });

  test('has as many as there are cores on a big machine, and node has nothing to warn of', async () => {
    const group = await startWorkers({ workers: 12, config: { drainWindowSeconds: 0 } });
    // From then on it listens to signals.
    await group.cli.logged('effective limits');
    group.cli.signal('SIGTERM');
    expect(await group.cli.result()).toMatchObject({ code: 0, stderr: '' });
  });

  test('ends with 1 where its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const group = new RunningGroup({ config: { port } });
    onTestFinished(() => group.close());
    const { code, stderr } = await group.cli.result();
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `port: cannot listen on 127.0.0.1:${port}, because another process does (EADDRINUSE)\n`,
    });
  });
});

describe('--workers', () => {
  test('1 is a broker of one process', async () => {
    const group = new RunningGroup({ workers: 1 });
    onTestFinished(() => group.close());
    const { pid } = await group.cli.logged('listening');
    expect((await group.cli.logged('effective limits'))['pid']).toBe(pid);
  });

  test.each(['0', '-1', '1.5', 'many', ''])('%j is refused', async (workers) => {
    const { code, stderr } = await runCli(['start', `--workers=${workers}`]);
    expect(code).toBe(2);
    expect(stderr).toContain(`--workers: got "${workers}", expected a whole number from 1 to 999, or auto`);
  });
});
