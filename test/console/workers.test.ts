import { expect, test } from 'vitest';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize } from '../helpers/clients/client.ts';
import { startLivePage } from '../helpers/console.ts';

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
