import { type Broker, MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const BOX = 'private-box';
const ROOM = 'presence-room';

const rejected = (why: string, code: string): string =>
  frames.error(null, `Client event rejected: ${why}`, code);
const notTaken = rejected(
  'only private and presence channels that are not encrypted take them',
  'channel_not_allowed',
);
const notSubscribed = (channel: string): string =>
  rejected(`the connection is not subscribed to channel ${channel}`, 'not_subscribed');

/** A broker, and two clients on one of its channels: one to send, and one to receive. */
async function startPair(channel = BOX, settings?: ServerSettings) {
  const server = await startServer(settings);
  const [sender, receiver] = [await connect(server), await connect(server)];
  await receiver.join(channel, { user_id: 'ann' });
  await sender.join(channel, { user_id: 'bob' });
  if (channel.startsWith('presence-')) await receiver.next();
  if (channel.includes('cache-')) for (const client of [sender, receiver]) await client.next();
  return { server, sender, receiver };
}

/** Proves that no client received an event: the next frame is that of an event published now. */
async function expectNothing(server: Broker, receiver: TestClient, channel: string) {
  await publish(server, channel, 'marker', '');
  expect(await receiver.next()).toBe(frames.event('marker', channel, ''));
}

describe('a client event', () => {
  test('comes to every other connection in the channel, and not to its sender', async () => {
    const { server, sender, receiver } = await startPair();
    const outsider = await connect(server);
    await outsider.join('private-other');
    sender.trigger(BOX, 'client-typing', { on: true });
    expect(await sender.nothing()).toEqual([]);
    expect(await receiver.next()).toBe(frames.event('client-typing', BOX, '{"on":true}'));
    expect(await outsider.nothing()).toEqual([]);
  });

  test.each([
    '12345678901234567890',
    '{"id":12345678901234567890,"ratio":1.0}',
    '{ "a" : [ 1,\n2 ], "b": "\\u00eb\\"}" }',
    '{"a":1,"a":2}',
    'null',
    'false',
    '[]',
    '-0.0',
  ])('has its data passed on as it was written: %s', async (data) => {
    const { sender, receiver } = await startPair();
    for (const frame of [
      `{"event":"client-a","channel":"${BOX}","data":${data}}`,
      `{"data":1,"event":"client-a" , "data" : ${data} ,"channel":"${BOX}"}`,
      `{"d\\u0061ta":${data},"event":"client-a","channel":"${BOX}","x":{"data":2}}`,
    ]) {
      sender.send(frame);
      expect(await receiver.next()).toBe(frames.event('client-a', BOX, data));
    }
  });

  test("comes to the sender's other tabs", async () => {
    const { server, sender } = await startPair(ROOM);
    const tab = await connect(server);
    await tab.join(ROOM, { user_id: 'bob' });
    sender.trigger(ROOM, 'client-typing', 1);
    expect(await tab.next()).toBe(frames.eventOf('bob', 'client-typing', ROOM, '1'));
  });

  test('comes in the order in which it was sent', async () => {
    const { sender, receiver } = await startPair(BOX, { limits: { clientEventsPerSecond: 50 } });
    for (let n = 0; n < 50; n += 1) sender.trigger(BOX, 'client-count', n);
    for (let n = 0; n < 50; n += 1) {
      expect(await receiver.next()).toBe(frames.event('client-count', BOX, String(n)));
    }
  });

  test.each(['private-a', 'private-cache-a', 'presence-a', 'presence-cache-a', 'private-encrypted'])(
    'may be sent to %s',
    async (channel) => {
      const { sender, receiver } = await startPair(channel);
      sender.trigger(channel, 'client-e', 'x');
      expect(await receiver.nextMessage()).toMatchObject({ event: 'client-e', channel, data: 'x' });
    },
  );

  test.each(['news', 'cache-news', 'private', 'private-encrypted-a', 'private-encrypted-cache-a'])(
    'may not be sent to %s',
    async (channel) => {
      const { server, sender, receiver } = await startPair(channel);
      sender.trigger(channel, 'client-e', 'x');
      expect(await sender.next()).toBe(notTaken);
      if (!channel.startsWith('private-encrypted-')) await expectNothing(server, receiver, channel);
      else expect(await receiver.nothing()).toEqual([]);
    },
  );

  test.each(['#server-to-user-bob', '', 'a b', 'presence-a b'])('may not be sent to %j', async (channel) => {
    const { sender } = await startPair();
    await sender.signIn({ id: 'bob' });
    sender.subscribe('#server-to-user-bob');
    await sender.next();
    sender.trigger(channel, 'client-e', 'x');
    expect(await sender.next()).toBe(notTaken);
  });

  test('may not be sent from outside of the channel', async () => {
    const { server, sender, receiver } = await startPair();
    const outsider = await connect(server);
    outsider.trigger(BOX, 'client-e', 'x');
    expect(await outsider.next()).toBe(notSubscribed(BOX));
    sender.unsubscribe(BOX);
    sender.trigger(BOX, 'client-e', 'x');
    expect(await sender.next()).toBe(notSubscribed(BOX));
    await expectNothing(server, receiver, BOX);
  });

  test('may not be sent before the subscription is acknowledged', async () => {
    const adapter = new DelayedAdapter(new MemoryAdapter(), () => 1);
    const server = await startServer({ parts: { adapter } });
    const client = await connect(server);
    client.askFor(BOX);
    client.trigger(BOX, 'client-e', 'x');
    expect(await client.next()).toBe(notSubscribed(BOX));
    expect(await client.next()).toBe(frames.subscribed(BOX));
    client.trigger(BOX, 'client-e', 'x');
    expect(await client.nothing()).toEqual([]);
  });

  test('may not be sent in an app that has turned them off', async () => {
    const { server, sender, receiver } = await startPair(BOX, { app: { clientEvents: false } });
    sender.trigger(BOX, 'client-e', 'x');
    expect(await sender.next()).toBe(
      frames.error(null, 'Client events are turned off for this app', 'client_events_off'),
    );
    await expectNothing(server, receiver, BOX);
  });

  test.each([
    'my-event',
    'Client-e',
    ' client-e',
    'client',
    'client_e',
    'pusher:e',
    'pusher_internal:member_added',
  ])('may not be called %j', async (name) => {
    const { server, sender, receiver } = await startPair();
    sender.trigger(BOX, name, 'x');
    expect(await sender.next()).toBe(
      frames.error(null, `Unsupported event received on socket: ${name}`, 'unsupported_event'),
    );
    await expectNothing(server, receiver, BOX);
  });

  test('may have a name of 200 characters, and no more', async () => {
    const { sender, receiver } = await startPair();
    const name = 'client-'.padEnd(200, 'x');
    sender.trigger(BOX, `${name}x`, '');
    expect(await sender.next()).toBe(
      rejected('its name is longer than 200 characters', 'invalid_event_name'),
    );
    sender.trigger(BOX, name, '');
    expect(await receiver.next()).toBe(frames.event(name, BOX, ''));
  });

  test.each(['client-', 'client-grüße 🚀', 'client-\0'])('may be called %j', async (name) => {
    const { sender, receiver } = await startPair();
    sender.trigger(BOX, name, 'x');
    expect(await receiver.next()).toBe(frames.event(name, BOX, 'x'));
  });
});

describe('the data of a client event', () => {
  test.each([
    ['{"on":true}', '{"on":true}'],
    ['[1,null]', '[1,null]'],
    ['7', '7'],
    ['false', 'false'],
    ['null', 'null'],
    ['""', ''],
    ['"null"', 'null'],
    ['"{ \\"a\\" : 1 }"', '{ "a" : 1 }'],
    ['"Zoë 🚀 \\u2028 \\ud800"', 'Zoë 🚀 \u2028 \ud800'],
    ['{"__proto__":1}', '{"__proto__":1}'],
  ])('%s is delivered as a text', async (sent, delivered) => {
    const { sender, receiver } = await startPair();
    sender.send(`{"event":"client-e","channel":"${BOX}","data":${sent}}`);
    expect(await receiver.next()).toBe(frames.event('client-e', BOX, delivered));
  });

  test.each([{ event: 'client-e', channel: BOX }, { event: 'client-e', data: 'x' }, { event: 'client-e' }])(
    'cannot be missing, nor the channel: %j',
    async (frame) => {
      const { server, sender, receiver } = await startPair();
      sender.send(frame);
      expect(await sender.next()).toBe(
        frames.error(
          null,
          'Invalid client event: it must contain a string "channel" and "data"',
          'invalid_message',
        ),
      );
      await expectNothing(server, receiver, BOX);
    },
  );

  test.each([
    ['a text', 'a'.repeat(10_240), 'a'],
    ['letters of two bytes each', 'ë'.repeat(5120), 'a'],
  ])('has at most 10240 bytes, as %s', async (_, data, more) => {
    const { sender, receiver } = await startPair();
    sender.trigger(BOX, 'client-e', data + more);
    expect(await sender.next()).toBe(rejected('its data is longer than 10240 bytes', 'event_too_large'));
    sender.trigger(BOX, 'client-e', data);
    expect(await receiver.next()).toBe(frames.event('client-e', BOX, data));
  });

  test('is measured as it is delivered', async () => {
    const { sender, receiver } = await startPair(BOX, { limits: { eventDataBytes: 9 } });
    sender.send(`{"event":"client-e","channel":"${BOX}","data":{"a": 12}}`);
    expect(await receiver.next()).toBe(frames.event('client-e', BOX, '{"a": 12}'));
    for (const data of ['{"a": 123}', '{ "a" :   1 }']) {
      sender.send(`{"event":"client-e","channel":"${BOX}","data":${data}}`);
      expect(await sender.next()).toBe(rejected('its data is longer than 9 bytes', 'event_too_large'));
    }
  });
});

describe('the user_id of a client event', () => {
  test('is the member that sent it', async () => {
    const { sender, receiver } = await startPair(ROOM);
    sender.trigger(ROOM, 'client-e', 'x');
    expect(await receiver.next()).toBe(frames.eventOf('bob', 'client-e', ROOM, 'x'));
  });

  test('is a text, also if it was signed as a number', async () => {
    const { server, receiver } = await startPair(ROOM);
    const client = await connect(server);
    await client.join(ROOM, { user_id: 10 });
    await receiver.next();
    client.trigger(ROOM, 'client-e', 'x');
    expect(await receiver.next()).toBe(frames.eventOf('10', 'client-e', ROOM, 'x'));
  });

  test('is the signed-in user if there is no channel_data', async () => {
    const { server, receiver } = await startPair(ROOM);
    const client = await connect(server);
    await client.signIn({ id: 'cal' });
    await client.join(ROOM);
    await receiver.next();
    client.trigger(ROOM, 'client-e', 'x');
    expect(await receiver.next()).toBe(frames.eventOf('cal', 'client-e', ROOM, 'x'));
  });

  test('cannot be forged, nor anything else be added', async () => {
    const { sender, receiver } = await startPair(ROOM);
    const forged = { user_id: 'ann', socket_id: '1.1', extra: true };
    sender.send({ event: 'client-e', channel: ROOM, data: 'x', ...forged });
    expect(await receiver.next()).toBe(frames.eventOf('bob', 'client-e', ROOM, 'x'));
  });

  test('is not there in a private channel', async () => {
    const { sender, receiver } = await startPair(BOX);
    await sender.signIn({ id: 'bob' });
    sender.send({ event: 'client-e', channel: BOX, data: 'x', user_id: 'ann' });
    expect(await receiver.next()).toBe(frames.event('client-e', BOX, 'x'));
  });
});

describe('the rate of client events', () => {
  const tooMany = frames.error(4301, 'Too many client events: at most 10 a second', 'event_rate');

  /** A pair whose broker has a clock that the test moves. */
  async function startClock(settings?: ServerSettings) {
    const clock = { now: Date.now() };
    return { clock, ...(await startPair(BOX, { ...settings, parts: { monotonic: () => clock.now } })) };
  }

  test('is 10 at once, then the 11th is refused and the connection stays', async () => {
    const { clock, sender, receiver } = await startClock();
    for (let n = 0; n < 12; n += 1) sender.trigger(BOX, 'client-e', n);
    expect(await sender.nothing()).toEqual([tooMany, tooMany]);
    clock.now += 1000;
    sender.trigger(BOX, 'client-e', 'later');
    for (let n = 0; n < 10; n += 1) expect(await receiver.next()).toBe(frames.event('client-e', BOX, `${n}`));
    expect(await receiver.next()).toBe(frames.event('client-e', BOX, 'later'));
  });

  test('is 10 per second after that, and never more than 10 at once', async () => {
    const { clock, sender } = await startClock();
    for (let n = 0; n < 10; n += 1) sender.trigger(BOX, 'client-e', n);
    expect(await sender.nothing()).toEqual([]);
    clock.now += 99;
    sender.trigger(BOX, 'client-e', 'too early');
    expect(await sender.nothing()).toEqual([tooMany]);
    clock.now += 1;
    for (const data of ['in time', 'too many']) sender.trigger(BOX, 'client-e', data);
    expect(await sender.nothing()).toEqual([tooMany]);
    clock.now += 60_000;
    for (let n = 0; n < 11; n += 1) sender.trigger(BOX, 'client-e', n);
    expect(await sender.nothing()).toEqual([tooMany]);
  });

  test('is counted for each connection by itself, over all its channels', async () => {
    const { server, sender, receiver } = await startClock();
    await sender.join('private-other');
    const other = await connect(server);
    await other.join(BOX);
    for (let n = 0; n < 11; n += 1) sender.trigger(n % 2 ? BOX : 'private-other', 'client-e', n);
    expect(await sender.nothing()).toEqual([tooMany]);
    for (const n of [1, 3, 5, 7, 9])
      expect(await receiver.next()).toBe(frames.event('client-e', BOX, `${n}`));
    other.trigger(BOX, 'client-e', 'mine');
    expect(await receiver.next()).toBe(frames.event('client-e', BOX, 'mine'));
  });

  test('is what the app says', async () => {
    const { sender } = await startClock({ limits: { clientEventsPerSecond: 2 } });
    for (let n = 0; n < 3; n += 1) sender.trigger(BOX, 'client-e', n);
    expect(await sender.nothing()).toEqual([
      frames.error(4301, 'Too many client events: at most 2 a second', 'event_rate'),
    ]);
  });

  test('is none where the app says null', async () => {
    const { sender, receiver } = await startClock({ limits: { clientEventsPerSecond: null } });
    for (let n = 0; n < 50; n += 1) sender.trigger(BOX, 'client-e', n);
    for (let n = 0; n < 50; n += 1) expect(await receiver.next()).toBe(frames.event('client-e', BOX, `${n}`));
  });
});

test('client events are never kept in a cache channel', async () => {
  const { server, sender, receiver } = await startPair('private-cache-box');
  sender.trigger('private-cache-box', 'client-e', 'x');
  expect(await receiver.next()).toBe(frames.event('client-e', 'private-cache-box', 'x'));
  const late = await connect(server);
  await late.join('private-cache-box');
  expect(await late.next()).toBe(frames.cacheMiss('private-cache-box'));
});
