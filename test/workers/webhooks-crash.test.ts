/** What workers have told their data directory outlives them and their parent, also while the receiver refuses everything. */
import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { ok, type ReceivedEvent, startReceiver, status } from '../helpers/brokers/receiver.ts';
import { type RunningGroup, startWorkers } from '../helpers/brokers/workers.ts';
import { newFolder } from '../helpers/folder.ts';

const BURST = 50;

/** Publishes on one worker what a client on the other one is shown, and what is sure to be committed by then. */
async function converse(group: RunningGroup, from: number, to: number, channel: string, first: number) {
  const [speaker, listener] = [await group.connectTo(from), await group.connectTo(to)];
  for (const client of [speaker, listener]) await client.join(channel);
  for (let n = first; n < first + BURST; n += 1) speaker.trigger(channel, 'client-n', String(n));
  const last = `"data":"${first + BURST - 1}"`;
  await listener.until((frame) => String(frame).includes(last));
  return { speaker, listener };
}

async function countOf(group: RunningGroup, state: string): Promise<number> {
  const { body } = await request(group, 'GET', '/webhooks');
  return (body as { webhooks: [{ deliveries: Record<string, number> }] }).webhooks[0].deliveries[state] ?? 0;
}

test('kill -9 of a worker and then of all, while the receiver refuses everything, loses nothing that was shown', async () => {
  const receiver = await startReceiver();
  receiver.reply = status(503);
  const settings = {
    config: { data: newFolder(), webhookGraceSeconds: 0, webhookRestartGraceSeconds: 0 },
    app: {
      limits: { framesPerSecond: 100_000, clientEventsPerSecond: 100_000 },
      webhooks: [{ id: 'backend', url: receiver.url(), events: ['client_event'] }],
    },
  };
  const group = await startWorkers(settings);
  const before = await converse(group, 2, 1, 'private-a', 0);
  await group.killWorker(2);
  await before.speaker.closed();
  expect(await before.listener.nothing()).toEqual([]);
  await converse(group, 1, 1, 'private-b', BURST);
  expect(await countOf(group, 'dead')).toBe(0);
  await receiver.next();
  await group.cli.kill();

  const next = await startWorkers(settings);
  const waiting = (await countOf(next, 'pending')) + (await countOf(next, 'failing'));
  expect(waiting).toBeGreaterThan(0);
  receiver.reply = ok;
  const taken = receiver.posted.length;
  await request(next, 'POST', '/webhooks/backend/retry', { body: { state: 'failing' } });
  const delivered = (): ReceivedEvent[] => receiver.posted.slice(taken).flatMap(({ events }) => events);
  await expect.poll(() => new Set(delivered().map(({ seq }) => seq)).size).toBe(2 * BURST);
  for (const [channel, first] of [
    ['private-a', 0],
    ['private-b', BURST],
  ] as const) {
    const data = delivered()
      .filter((event) => event.channel === channel)
      .map((event) => Number(event['data']));
    expect(data).toEqual(Array.from({ length: BURST }, (_, n) => first + n));
  }
  expect(await countOf(next, 'dead')).toBe(0);
}, 90_000);
