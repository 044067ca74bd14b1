import { expect, test } from 'vitest';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize, connect } from '../helpers/clients/client.ts';
import { startLivePage, Visitor } from '../helpers/console.ts';
import { eventually } from '../helpers/eventually.ts';

test('the console shows the events of all workers, whichever worker has its page', async () => {
  const group = await startWorkers();
  const page = await startLivePage(group);
  const nodes = new Set<unknown>();
  await page.next(({ name, data }) => name === 'figures' && nodes.add(data['node']).size === 2);
  for (const worker of [1, 2]) {
    const client = await group.connectTo(worker);
    client.subscribe('private-room', { auth: authorize('1.2', 'private-room') });
    expect(await page.entry('subscriptionRefused')).toMatchObject({
      socketId: client.socketId,
      diagnosis: { expected: `${client.socketId}:private-room` },
    });
  }
  // Each worker knows the session.
  for (let n = 0; n < 6; n += 1) expect((await page.visitor.ask('GET', 'channels')).status).toBe(200);
}, 60_000);

test('each worker sends what it has kept of the past, in steps that can be added', async () => {
  const group = await startWorkers();
  for (const worker of [1, 2]) await group.connectTo(worker);
  const page = await startLivePage(group);
  const sum = new Map<unknown, number>();
  // The first sample is taken after five seconds.
  while ([...sum.values()].reduce((total, connections) => total + connections, 0) !== 2) {
    await page.visitor.ask('POST', 'watch', { range: '15m' });
    const { node, range, steps } = await page.next(({ name }) => name === 'past');
    expect(range).toBe('15m');
    const [[at, connections] = [0, 0]] = (steps as number[][]).slice(-1);
    expect(at! % 10_000).toBe(0);
    if (connections! > 0) sum.set(node, connections!);
  }
  expect(sum.size).toBe(2);
  expect(await page.visitor.ask('POST', 'watch', { range: '__proto__' })).toMatchObject({ status: 400 });
}, 60_000);

test('each worker shows the attempts of webhooks, which their parent makes', async () => {
  const receiver = await startReceiver();
  const hook = { id: 'orders', url: receiver.url(), events: ['channel_occupied'] };
  const group = await startWorkers({ app: { webhooks: [hook] } });
  const visitor = new Visitor(group);
  await visitor.signIn();
  await (await connect(group)).join('news');
  const { headers } = await receiver.next();
  for (let n = 0; n < 6; n += 1) {
    await eventually(async () => {
      expect((await visitor.ask('GET', 'webhook-health?hook=orders')).body).toMatchObject({
        total: { delivered: 1, failed: 0 },
        attempts: [{ delivery: headers['webhook-id'], status: 204, lane: 'news' }],
      });
    });
  }
  expect(await visitor.ask('GET', 'webhook-health?hook=__proto__')).toMatchObject({ status: 404 });
}, 60_000);
