/** Workers and parents whose event loop does not turn. */
import { Agent } from 'node:http';
import { setTimeout as passing } from 'node:timers/promises';
import Pusher from 'pusher';
import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { APP } from '../helpers/brokers/server.ts';
import { type RunningGroup, startWorkers } from '../helpers/brokers/workers.ts';
import { frames } from '../helpers/frames.ts';
import { revoke } from '../revocations/stage.ts';

/** At SIGWINCH a process does nothing else for so long in milliseconds. */
const BUSY =
  'process.on("SIGWINCH",()=>{for(let end=Date.now()+Number(process.env.BUSY_MS);Date.now()<end;);})';

/** Longer than a worker may be silent in these tests, and not for ever if it is not killed. */
const HANGS_MS = 15_000;

/** Two workers, each with a client in `presence-room`, and each to be made busy. */
async function startBusy(busyMs: number, config: Readonly<Record<string, unknown>> = {}) {
  const group = await startWorkers({
    config,
    app: { clientEvents: true },
    nodeFlags: ['--import', `data:text/javascript,${BUSY}`],
    env: { BUSY_MS: String(busyMs) },
  });
  const [ann, bob] = [await group.connectTo(1), await group.connectTo(2)];
  await ann.join('presence-room', { user_id: 'ann' });
  await bob.join('presence-room', { user_id: 'bob' });
  expect(await ann.next()).toBe(frames.memberAdded('presence-room', 'bob'));
  return { group, ann, bob };
}

async function pidOfParent(group: RunningGroup): Promise<number> {
  return Number((await group.cli.logged('all workers listen'))['pid']);
}

test('a worker that hangs is killed and replaced', async () => {
  const { group, ann, bob } = await startBusy(HANGS_MS, { nodeTimeoutSeconds: 2 });
  const pid = await group.pidOf(2);
  process.kill(pid, 'SIGWINCH');
  expect(await group.cli.logged('worker hangs')).toMatchObject({
    worker: 2,
    workerPid: pid,
    nodeTimeoutSeconds: 2,
  });
  expect(await bob.closed()).toMatchObject({ code: 1006 });
  expect(await ann.next()).toBe(frames.memberRemoved('presence-room', 'bob'));
  expect(await group.cli.logged('worker ended')).toMatchObject({ worker: 2, signal: 'SIGKILL' });
  await group.cli.logged('worker replaced');
  expect(await group.metrics()).toMatchObject({ countersign_workers: 2, countersign_workers_ended_total: 1 });
});

test('a worker that is stopped is killed and replaced', async () => {
  const { group, ann } = await startBusy(0, { nodeTimeoutSeconds: 2 });
  process.kill(await group.pidOf(2), 'SIGSTOP');
  expect(await ann.next()).toBe(frames.memberRemoved('presence-room', 'bob'));
  await group.cli.logged('worker replaced');
});

test('a worker that is stopped does not hide what the others have done, and one that is killed is not awaited', async () => {
  const { group, ann, bob } = await startBusy(0);
  const stopped = await group.pidOf(2);
  const revokeAll = () => revoke(group, { target: { channel: 'presence-room' } });
  process.kill(stopped, 'SIGSTOP');
  // One of two connections may go to the worker that is stopped, which gets no second one.
  const { status, body } = await Promise.any([revokeAll(), revokeAll()]);
  expect(status).toBe(202);
  expect(body).toMatchObject({
    pending: ['node-1'],
    ended: { subscriptions: 1 },
    nodes: { acknowledged: 0, total: 1 },
  });
  expect(await ann.next()).toContain('grant_revoked');
  const pending = revokeAll();
  process.kill(stopped, 'SIGKILL');
  expect(await pending).toMatchObject({ status: 200, body: { nodes: { acknowledged: 1, total: 1 } } });
  expect(await bob.closed()).toMatchObject({ code: 1006 });
});

test('a worker that is busy for three seconds stays', async () => {
  const { group, bob } = await startBusy(3000);
  process.kill(await group.pidOf(2), 'SIGWINCH');
  await publish(group, 'presence-room', 'greeting', 'hello');
  expect(await bob.next()).toBe(frames.event('greeting', 'presence-room', 'hello'));
  expect(group.cli.count('worker hangs')).toBe(0);
});

test('a machine that was suspended keeps its workers', async () => {
  const { group, ann } = await startBusy(HANGS_MS, { nodeTimeoutSeconds: 2 });
  const workers = [await group.pidOf(1), await group.pidOf(2)];
  const all = [...workers, await pidOfParent(group)];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  await passing(4000);
  // The parent is the first that wakes up.
  for (const pid of all.toReversed()) process.kill(pid, 'SIGCONT');
  // It looks as carefully as before: by the time that it has found the one who hangs, it has found nobody else.
  process.kill(workers[1]!, 'SIGWINCH');
  expect(await ann.next()).toBe(frames.memberRemoved('presence-room', 'bob'));
  await group.cli.logged('worker replaced');
  expect(await ann.nothing()).toEqual([]);
  expect(await group.metrics()).toMatchObject({ countersign_workers: 2, countersign_workers_ended_total: 1 });
});

test('a parent that hangs fails what is asked of it, and keeps all connections', {
  timeout: 60_000,
}, async () => {
  const { group, ann, bob } = await startBusy(0);
  const { id: appId, key, secret } = APP;
  // One connection for all requests: only the parent could accept another.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const pusher = new Pusher({ appId, key, secret, host: group.host, port: String(group.port), agent });
  await (await pusher.get({ path: '/channels' })).text();
  const parent = await pidOfParent(group);
  process.kill(parent, 'SIGSTOP');
  ann.trigger('presence-room', 'client-wave', {});
  const [refusal, error] = await Promise.all([
    pusher.trigger('presence-room', 'greeting', 'lost').catch((reason: unknown) => reason),
    ann.next(15_000),
  ]);
  expect(refusal).toMatchObject({ status: 503 });
  expect(error).toContain('pusher:error');
  process.kill(parent, 'SIGCONT');
  await publish(group, 'presence-room', 'end', '{}');
  for (const client of [ann, bob]) await client.until((received) => String(received).includes('"end"'));
  expect(group.cli.count('worker hangs')).toBe(0);
});
