/** What a single node with a data directory still knows after a restart, beside the events. */
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP } from '../helpers/brokers/server.ts';
import { launchWorkers, startWorkers } from '../helpers/brokers/workers.ts';
import { connect, connectCapable, type TestClient } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';

const ROOM = 'private-room';
const history = [{ channels: '*', seconds: 3600, messages: 50 }];
const SIGNALS = ['SIGTERM', 'SIGKILL'] as const;

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

/** Publishes under a key. */
async function once(place: Place, event: object = {}) {
  const body = { name: 'e', channel: ROOM, data: '1', idempotency_key: 'order-7', ...event };
  const answer = await request(place, 'POST', '/events', { body });
  return { status: answer.status, body: answer.body, isRepeated: answer.headers.get('Idempotency-Replayed') };
}

async function eventsOf(place: Place, channel = ROOM): Promise<string[]> {
  const { body } = await request(place, 'GET', `/channels/${channel}/events`);
  return (body as { events: { data: string }[] }).events.map(({ data }) => data);
}

async function join(client: TestClient, previous?: string): Promise<void> {
  client.askFor(ROOM, { countersign: previous === undefined ? {} : { previous_socket_id: previous } });
  expect(await client.nextMessage()).toMatchObject({ event: 'pusher_internal:subscription_succeeded' });
}

async function heard(client: TestClient): Promise<unknown[]> {
  return (await client.nothing()).map((frame) => JSON.parse(String(frame)));
}

describe.each(SIGNALS)('after %s', (signal) => {
  test('a publish that is sent again counts once, and its answer is repeated', async () => {
    const data = newFolder();
    const first = await MortalBroker.start(settings(data));
    const asked = { info: 'position,subscription_count' };
    const before = await once(first.broker, asked);
    await once(first.broker, { idempotency_key: 'no-answer' });
    await first.end(signal);
    const { broker } = await MortalBroker.start(settings(data));
    await (await connect(broker)).join(ROOM);
    expect(await once(broker, asked)).toEqual({ ...before, isRepeated: 'true' });
    expect(await once(broker, { idempotency_key: 'no-answer' })).toEqual({
      status: 200,
      body: {},
      isRepeated: 'true',
    });
    expect(await once(broker, { ...asked, data: '2' })).toMatchObject({
      status: 422,
      body: { code: 'idempotency_mismatch' },
    });
    expect(await eventsOf(broker)).toEqual(['1', '1']);
  });

  test('so does one to several channels, with and without a history', async () => {
    const data = newFolder();
    const rules = { history: [{ channels: 'kept-*', seconds: 60, messages: 5 }] };
    const channels = { channel: undefined, channels: ['kept-1', 'kept-2', 'plain'] };
    const first = await MortalBroker.start(settings(data, rules));
    await once(first.broker, channels);
    await first.end(signal);
    const { broker } = await MortalBroker.start(settings(data, rules));
    const client = await connectCapable(broker);
    await client.join('plain');
    expect(await once(broker, channels)).toMatchObject({ status: 200, isRepeated: 'true' });
    expect(await client.nothing()).toEqual([]);
    expect(await eventsOf(broker, 'kept-1')).toEqual(['1']);
    expect(await eventsOf(broker, 'kept-2')).toEqual(['1']);
  });

  test('a stock client that had ended before is replayed what it missed', async () => {
    const data = newFolder();
    const first = await MortalBroker.start(settings(data));
    const client = await connect(first.broker);
    await join(client);
    client.close();
    await eventually(async () => {
      const { body } = await request(first.broker, 'GET', '/channels');
      expect(body).toEqual({ channels: {} });
    });
    await publish(first.broker, ROOM, 'e', '1');
    await first.end(signal);
    const { broker } = await MortalBroker.start(settings(data));
    await publish(broker, ROOM, 'e', '2');
    const back = await connect(broker);
    await join(back, client.socketId);
    expect(await heard(back)).toMatchObject([{ data: '1' }, { data: '2' }]);
  });
});

test('a stock client that was connected at the shutdown gets what it missed, and at a kill it is told that this is lost', async () => {
  for (const signal of SIGNALS) {
    const data = newFolder();
    const first = await MortalBroker.start(settings(data));
    const client = await connect(first.broker);
    await join(client);
    await first.end(signal);
    const { broker } = await MortalBroker.start(settings(data));
    await publish(broker, ROOM, 'e', '1');
    const back = await connect(broker);
    await join(back, client.socketId);
    expect(await heard(back)).toMatchObject([
      signal === 'SIGTERM'
        ? { data: '1' }
        : { event: 'pusher_internal:recovery_lost', data: '{"code":"position_unknown"}' },
    ]);
  }
});

test('what has expired is not known, nor what an app had noted that wants nothing of it any more', async () => {
  const data = newFolder();
  const brief = { idempotencySeconds: 1 };
  const first = await MortalBroker.start(settings(data, brief));
  await once(first.broker);
  await first.end('SIGKILL');
  const second = await MortalBroker.start(settings(data, brief));
  await eventually(async () => expect((await once(second.broker)).isRepeated).toBeNull());
  await once(second.broker, { idempotency_key: 'other' });
  await second.end('SIGKILL');
  const third = await MortalBroker.start(settings(data, { historyDurable: false }));
  expect((await once(third.broker, { idempotency_key: 'other' })).isRepeated).toBeNull();
  await third.end('SIGTERM');
  const fourth = await MortalBroker.start(settings(data));
  expect((await once(fourth.broker, { idempotency_key: 'other' })).isRepeated).toBeNull();
});

test('workers know it as well: their parent keeps it', async () => {
  const data = newFolder();
  const { apps, ...config } = settings(data);
  const app = apps[0]!;
  const first = await launchWorkers({ app, config });
  await once(first);
  await first.close();
  const second = await startWorkers({ app, config });
  expect((await once(second)).isRepeated).toBe('true');
});
