import { describe, expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { authorize, connect } from '../helpers/clients/client.ts';
import { type LivePage, startLivePage } from '../helpers/console.ts';

/** The line of the event with this name. */
async function lineOf(page: LivePage, event: string): Promise<Record<string, unknown>> {
  const isIt = ({ name }: Record<string, unknown>) => name === event;
  const { entries } = await page.next(({ data }) => data.entries?.some(isIt) ?? false);
  return entries!.find(isIt)!;
}

describe('a published event', () => {
  test('has a line that says how many received it', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const clients = [await connect(broker), await connect(broker), await connect(broker)] as const;
    await publish(broker, 'news', 'before', '{"a":1}');
    expect(await lineOf(page, 'before')).toMatchObject({
      kind: 'published',
      channel: 'news',
      data: '{"a":1}',
      bytes: 7,
      receivers: 0,
    });
    for (const client of clients) await client.join('news');
    await publish(broker, 'news', 'to-all', '"ü"');
    expect(await lineOf(page, 'to-all')).toMatchObject({ receivers: 3, bytes: 4 });
    clients[0].unsubscribe('news');
    await page.entry('unsubscribed');
    await publish(broker, 'news', 'to-two', '{}');
    expect(await lineOf(page, 'to-two')).toMatchObject({ receivers: 2 });
  });

  test('is not counted for the connection that it leaves out', async () => {
    const broker = await startServer();
    const page = await startLivePage(broker);
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join('private-room');
    await publish(broker, 'private-room', 'to-ann', '{}', { socket_id: bob.socketId });
    expect(await lineOf(page, 'to-ann')).toMatchObject({ receivers: 1 });
    await publish(broker, 'private-room', 'to-nobody', '{}', { socket_id: ann.socketId });
    expect(await lineOf(page, 'to-nobody')).toMatchObject({ receivers: 0 });
    await bob.join('private-room');
    ann.send({ event: 'client-typing', channel: 'private-room', data: '{}' });
    expect(await lineOf(page, 'client-typing')).toMatchObject({ receivers: 1, sender: ann.socketId });
  });

  test('says the same when the subscribers are at several workers', async () => {
    const group = await startWorkers();
    const page = await startLivePage(group);
    const nodes = new Set<unknown>();
    await page.next(({ name, data }) => name === 'figures' && nodes.add(data['node']).size === 2);
    for (const worker of [1, 2]) await (await group.connectTo(worker)).join('news');
    await publish(group, 'news', 'hello', '{}');
    expect(await lineOf(page, 'hello')).toMatchObject({ receivers: 2 });
  }, 60_000);
});

test('a flood of events takes no line from a refusal, and what is left out is counted', async () => {
  const broker = await startServer();
  const page = await startLivePage(broker);
  const client = await connect(broker);
  const publishes = Array.from({ length: 300 }, (_, n) => publish(broker, 'news', `event-${n}`, '{}'));
  client.subscribe('private-room', { auth: authorize('1.2', 'private-room') });
  await Promise.all(publishes);
  let [lines, dropped, refusals] = [0, 0, 0];
  await page.next(({ data }) => {
    for (const { kind } of data.entries ?? []) {
      if (kind === 'published') lines += 1;
      if (kind === 'subscriptionRefused') refusals += 1;
    }
    dropped += Number(data['dropped'] ?? 0);
    return refusals === 1 && lines + dropped === 300;
  });
});
