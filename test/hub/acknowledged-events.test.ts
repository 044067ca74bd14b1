import { expect, test } from 'vitest';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, connectCapable, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const ROOM = 'private-room';

async function start(settings: ServerSettings = {}) {
  const broker = await startServer(settings);
  const [sender, other] = [await connectCapable(broker), await connect(broker)];
  for (const client of [sender, other]) await client.join(ROOM);
  return { broker, sender, other };
}

function say(client: TestClient, id: unknown, parts: object = {}): void {
  client.send({ event: 'client-say', channel: ROOM, data: '1', id, ...parts });
}

async function answer(client: TestClient) {
  const { event, data } = await client.nextMessage();
  return { event, ...JSON.parse(String(data)) };
}

test('a client event with an id is acknowledged once it is published', async () => {
  const { sender, other } = await start();
  say(sender, 'a');
  expect(await sender.next()).toBe('{"event":"countersign:ack","data":"{\\"id\\":\\"a\\"}"}');
  expect(await other.next()).toBe(frames.event('client-say', ROOM, '1'));
});

test('the same id twice is two events', async () => {
  const { sender, other } = await start();
  for (const data of ['1', '2']) say(sender, 'a', { data });
  for (const data of ['1', '2']) {
    expect(await answer(sender)).toEqual({ event: 'countersign:ack', id: 'a' });
    expect(await other.next()).toBe(frames.event('client-say', ROOM, data));
  }
});

test('in a channel with a history the answer has the position', async () => {
  const { broker, sender } = await start({
    app: { history: [{ channels: '*', seconds: 60, messages: 10 }] },
  });
  say(sender, 'a');
  const { position } = await answer(sender);
  const late = await connectCapable(broker);
  expect(JSON.parse(String(await late.join(ROOM)))).toMatchObject({ position });
});

test('one that is refused is told so under its id, in place of the error', async () => {
  const { sender } = await start({ limits: { eventDataBytes: 10, eventNameLength: 20 } });
  const refusals = [
    ['not_subscribed', { channel: 'private-other' }],
    ['channel_not_allowed', { channel: 'news' }],
    ['event_too_large', { data: 'x'.repeat(11) }],
    ['invalid_event_name', { event: `client-${'x'.repeat(20)}` }],
  ] as const;
  for (const [code, parts] of refusals) {
    say(sender, 'a', parts);
    const nack = { event: 'countersign:nack', id: 'a', code, error: expect.any(String) };
    expect(await answer(sender)).toEqual(nack);
  }
  say(sender, 'b');
  expect(await answer(sender)).toEqual({ event: 'countersign:ack', id: 'b' });
});

test('one too many is told so, and so is one where the app takes none', async () => {
  const { sender } = await start({ limits: { clientEventsPerSecond: 1 } });
  for (const id of ['a', 'b']) say(sender, id);
  expect(await answer(sender)).toEqual({ event: 'countersign:ack', id: 'a' });
  expect(await answer(sender)).toMatchObject({ event: 'countersign:nack', id: 'b', code: 'event_rate' });
  const off = await start({ app: { clientEvents: false } });
  say(off.sender, 'a');
  expect(await answer(off.sender)).toMatchObject({ id: 'a', code: 'client_events_off' });
});

test.each(['', 'x'.repeat(65), 7, null, {}])('an event with the id %j is refused', async (id) => {
  const { sender, other } = await start();
  say(sender, id);
  expect(await sender.nextMessage()).toMatchObject({
    event: 'pusher:error',
    data: { error_code: 'invalid_message' },
  });
  expect(await other.nothing()).toEqual([]);
});

test('the id of a stock client is ignored', async () => {
  const { sender, other } = await start();
  say(other, 7);
  expect(await other.nothing()).toEqual([]);
  expect(await sender.next()).toBe(frames.event('client-say', ROOM, '1'));
});

test('workers acknowledge, too', async () => {
  const group = await startWorkers({ app: { history: [{ channels: '*', seconds: 60, messages: 10 }] } });
  const sender = await connectCapable(group);
  await sender.join(ROOM);
  say(sender, 'a');
  expect(await answer(sender)).toEqual({ event: 'countersign:ack', id: 'a', position: expect.any(String) });
});
