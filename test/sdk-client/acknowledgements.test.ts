import { Countersign } from '@countersign/sdk-client';
import { expect, onTestFinished, test } from 'vitest';
import { ourBackend } from '../helpers/brokers/backend.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { nextEvent } from '../helpers/clients/client-start.ts';

const ROOM = 'private-room';

/** A client in a room, whose way to the broker can be cut. */
async function start(settings: ServerSettings = {}, options: object = {}) {
  const broker = await startServer(settings);
  const backend = await ourBackend(broker);
  const valve = await Valve.open(broker.port);
  onTestFinished(() => valve.close());
  const client = new Countersign(APP.key, {
    host: '127.0.0.1',
    port: valve.port,
    forceTLS: false,
    channelAuthorization: { endpoint: `${backend}/auth`, headers: { 'x-user': 'ann' } },
    reconnect: { minDelay: 10, maxDelay: 50 },
    ...options,
  });
  onTestFinished(() => client.disconnect());
  const room = client.subscribe(ROOM);
  await nextEvent(room, 'pusher:subscription_succeeded');
  return { client, room, valve };
}

test('a client event resolves once the broker has published it', async () => {
  const { room } = await start();
  expect(await room.trigger('client-say', 1)).toEqual({});
});

test('with a history it resolves with the position', async () => {
  const { room } = await start({ app: { history: [{ channels: '*', seconds: 60, messages: 10 }] } });
  expect(await room.trigger('client-say', 1)).toEqual({ position: expect.any(String) });
});

test('several at a time are told apart, and one that is refused rejects with the reason', async () => {
  const { room } = await start({ limits: { clientEventsPerSecond: 2, eventDataBytes: 10 } });
  const sent = [
    room.trigger('client-a', 1),
    room.trigger('client-b', 'x'.repeat(11)),
    room.trigger('client-c', 1),
  ];
  const results = await Promise.allSettled(sent);
  expect(results).toMatchObject([
    { status: 'fulfilled', value: {} },
    { status: 'rejected', reason: { name: 'CountersignError', code: 'event_too_large' } },
    { status: 'rejected', reason: { code: 'event_rate' } },
  ]);
});

test('it rejects when the connection is lost before the answer, and when there is no answer in time', async () => {
  const { room, valve, client } = await start({}, { requestTimeout: 2000 });
  valve.withhold();
  const lost = room.trigger('client-say', 1);
  valve.cut();
  await expect(lost).rejects.toMatchObject({ code: 'disconnected' });
  const back = nextEvent(room, 'pusher:subscription_succeeded');
  valve.reopen();
  client.disconnect();
  client.connect();
  await back;
  valve.withhold();
  await expect(room.trigger('client-say', 1)).rejects.toMatchObject({ code: 'timeout' });
});

test('a rejection that nobody looks at is no error of the page', async () => {
  const { room, client } = await start();
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));
  client.disconnect();
  void room.trigger('client-say', 1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});
