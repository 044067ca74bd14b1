import { parseConfig } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP } from '../helpers/brokers/server.ts';
import { launchWorkers, startWorkers } from '../helpers/brokers/workers.ts';
import { connectCapable } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { smallDisk } from '../helpers/small-disk.ts';

const NEWS = 'news';
const history = [{ channels: '*', seconds: 3600, messages: 5 }];

interface Place {
  readonly url: string;
}

const settings = (data: string, app: object = {}) => ({
  host: '127.0.0.1',
  port: 0,
  drainWindowSeconds: 0,
  data,
  apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }], history, historyDurable: true, ...app }],
});

/** What a channel keeps: the data of its events, and their positions. */
async function kept(place: Place, channel = NEWS) {
  const { body } = await request(place, 'GET', `/channels/${channel}/events`);
  const { events, position } = body as { events: { data: string; position: string }[]; position: string };
  return { data: events.map(({ data }) => data), positions: events.map((each) => each.position), position };
}

/** What a client is told that comes back with a position. */
async function recoveryOf(place: Place, after: string, channel = NEWS): Promise<unknown> {
  const client = await connectCapable(place);
  client.subscribe(channel, { after });
  return ((await client.nextMessage()) as { recovery?: unknown }).recovery;
}

describe('a durable history', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'has after %s what it had, with positions that are valid and never given again',
    async (signal) => {
      const data = newFolder();
      const first = await MortalBroker.start(settings(data));
      const { broker } = first;
      for (const each of ['1', '2', '3', '4', '5', '6']) await publish(broker, NEWS, 'e', each);
      await publish(broker, 'purged', 'e', 'x');
      await request(broker, 'DELETE', '/channels/purged/events');
      const before = await kept(broker);
      const purged = await kept(broker, 'purged');
      await publish(broker, 'last', 'e', 'y');
      await first.end(signal);

      const second = await MortalBroker.start(settings(data));
      expect(await kept(second.broker)).toEqual(before);
      expect(await kept(second.broker, 'purged')).toEqual(purged);
      expect(before.data).toEqual(['2', '3', '4', '5', '6']);
      expect(await recoveryOf(second.broker, before.positions[3]!)).toEqual({ status: 'replayed', count: 1 });
      expect(await recoveryOf(second.broker, before.position)).toEqual({ status: 'current', count: 0 });
      expect(await recoveryOf(second.broker, purged.position, 'purged')).toMatchObject({ status: 'current' });
      await publish(second.broker, NEWS, 'e', '7');
      const after = await kept(second.broker);
      expect(after.data).toEqual(['3', '4', '5', '6', '7']);
      expect(before.positions).not.toContain(after.position);
      expect(await recoveryOf(second.broker, before.position)).toEqual({ status: 'replayed', count: 1 });
    },
  );

  test('the position of a channel that never had an event is valid as well, also where nothing else was kept', async () => {
    const data = newFolder();
    const first = await MortalBroker.start(settings(data));
    const { position } = await kept(first.broker);
    await first.end('SIGTERM');
    const second = await MortalBroker.start(settings(data));
    expect(await recoveryOf(second.broker, position)).toEqual({ status: 'current', count: 0 });
    await publish(second.broker, NEWS, 'e', '1');
    expect(await recoveryOf(second.broker, position)).toEqual({ status: 'replayed', count: 1 });
  });

  test('is that of apps that ask for it only: positions of others are unknown after a restart', async () => {
    const data = newFolder();
    const first = await MortalBroker.start(settings(data, { historyDurable: false }));
    const { position: empty } = await kept(first.broker);
    await publish(first.broker, NEWS, 'e', '1');
    const { position } = await kept(first.broker);
    await first.end('SIGKILL');
    const second = await MortalBroker.start(settings(data));
    expect((await kept(second.broker)).data).toEqual([]);
    for (const each of [empty, position]) {
      expect(await recoveryOf(second.broker, each)).toMatchObject({
        status: 'lost',
        code: 'position_unknown',
      });
    }
  });

  test('outlives workers and their parent', async () => {
    const data = newFolder();
    const of = { config: { data }, app: { history, historyDurable: true } };
    const first = await launchWorkers(of);
    await publish(first, NEWS, 'e', '1');
    const before = await kept(first);
    await first.close();
    expect(await kept(await startWorkers(of))).toEqual(before);
  }, 60_000);

  test('goes on in memory while the disk is full, and is stored once there is room', async ({ skip }) => {
    const disk = smallDisk();
    if (!disk) return skip();
    const first = await MortalBroker.start(settings(disk.folder));
    await publish(first.broker, NEWS, 'e', '1');
    disk.fill();
    for (const each of ['2', '3']) await publish(first.broker, NEWS, 'e', each);
    const before = await kept(first.broker);
    expect(before.data).toEqual(['1', '2', '3']);
    disk.free();
    await expect
      .poll(async () => {
        await publish(first.broker, 'other', 'e', 'x');
        return (await request(first.broker, 'GET', `/channels/${NEWS}/events`)).status;
      })
      .toBe(200);
    await first.end('SIGTERM');
    const second = await MortalBroker.start(settings(disk.folder));
    expect(await kept(second.broker)).toEqual(before);
  }, 60_000);
});

test('a durable history needs a place to be kept', () => {
  const { data: _, ...rest } = settings('/nowhere');
  expect(() => parseConfig(rest as never)).toThrow('apps[0].historyDurable');
  expect(() => parseConfig({ ...rest, redis: { url: 'redis://127.0.0.1:1' } } as never)).not.toThrow();
});
