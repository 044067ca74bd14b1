import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { ok, startReceiver, status } from '../helpers/brokers/receiver.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';

test('a worker is killed while a receiver refuses: the clients of the other worker stay, and all events arrive', async () => {
  const receiver = await startReceiver();
  receiver.reply = status(500);
  const group = await startWorkers({
    config: { data: newFolder(), webhookGraceSeconds: 0 },
    app: {
      webhooks: [{ id: 'hook', url: receiver.url(), events: ['channel_occupied', 'channel_vacated'] }],
    },
  });
  const [dying, staying] = [await group.connectTo(1), await group.connectTo(2)];
  for (let n = 0; n < 20; n += 1) {
    await dying.join(`private-dying-${n}`);
    await staying.join(`private-staying-${n}`);
  }
  await eventually(() => expect(receiver.posted.length).toBeGreaterThan(5));
  await group.killWorker(1);
  expect(await dying.closed()).toMatchObject({ code: 1006 });
  expect(await staying.join('private-after')).toContain('subscription_succeeded');

  receiver.reply = ok;
  await request(group, 'POST', '/webhooks/hook/retry', { body: { state: 'failing' } });
  const names = () =>
    receiver.posted.flatMap(({ events }) => events.map(({ name, channel }) => `${name} ${channel}`));
  const expected = Array.from({ length: 20 }, (_, n) => [
    `channel_occupied private-dying-${n}`,
    `channel_vacated private-dying-${n}`,
    `channel_occupied private-staying-${n}`,
  ]).flat();
  await eventually(
    () => expect(new Set(names())).toEqual(new Set([...expected, 'channel_occupied private-after'])),
    20_000,
  );
  expect(group.cli.count('worker replaced')).toBe(1);
}, 60_000);
