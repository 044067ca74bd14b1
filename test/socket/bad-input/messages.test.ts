import { describe, expect, test } from 'vitest';
import { publish } from '../../helpers/api.ts';
import { startServer } from '../../helpers/brokers/server.ts';
import { answers, end, expectService, notAnObject, signInWith } from '../../helpers/clients/bad-input.ts';
import { authorize, connect, type TestClient } from '../../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes } from '../../helpers/clients/raw.ts';
import { frames } from '../../helpers/frames.ts';
import { recordLog } from '../../helpers/log.ts';

describe('a text that is no message', () => {
  test.each([
    '',
    ' ',
    '{',
    '{"event":"pusher:ping"',
    '{"event":"pusher:ping"}}',
    "{'event':'pusher:ping'}",
    '{"event":"pusher:ping",}',
    '{"event":"pusher:\u0000ping"}',
    '\u0000',
    '\ufeff{"event":"pusher:ping"}',
    'NaN',
    'null',
    'true',
    '1e999',
    '"x"',
    '[]',
    '[{"event":"pusher:ping"}]',
  ])('such as %j is answered with an error', async (text) => {
    expect(await answers((client) => client.send(text))).toEqual([notAnObject]);
  });

  test.each([
    '{}',
    '{"event":null}',
    '{"event":1}',
    '{"event":["pusher:ping"]}',
    '{"event":{}}',
    '{"Event":"a"}',
  ])('since its event is no string, such as %s, is answered with an error', async (text) => {
    expect(await answers((client) => client.send(text))).toEqual([
      frames.error(null, 'Invalid message: "event" must be a string', 'invalid_message'),
    ]);
  });
});

describe('an event that clients may not send', () => {
  test.each([
    '',
    'news',
    'Client-a',
    'client',
    'pusher:',
    'pusher:Subscribe',
    'pusher:connection_established',
    'pusher:error',
    'pusher_internal:member_added',
    'pusher_internal:subscription_succeeded',
    '__proto__',
    'constructor',
    'a\u0000b',
    '\ud800',
  ])('such as %j is answered with an error', async (event) => {
    expect(await answers((client) => client.send({ event, channel: 'news', data: {} }))).toEqual([
      frames.error(null, `Unsupported event received on socket: ${event}`, 'unsupported_event'),
    ]);
  });

  test('is named in the answer as far as 200 characters', async () => {
    expect(await answers((client) => client.send({ event: 'x'.repeat(60_000) }))).toEqual([
      frames.error(null, `Unsupported event received on socket: ${'x'.repeat(200)}`, 'unsupported_event'),
    ]);
  });
});

describe('data of the wrong type', () => {
  const wrong = ['null', '1', 'true', '[]', '[{"channel":"news"}]', '""', '"news"', '"[]"', '"null"', '"{"'];

  test.each(
    ['pusher:subscribe', 'pusher:unsubscribe', 'pusher:signin'].flatMap((event) => [
      `{"event":"${event}"}`,
      ...wrong.map((data) => `{"event":"${event}","data":${data}}`),
    ]),
  )('is answered with an error: %s', async (text) => {
    const { event } = JSON.parse(text);
    expect(await answers((client) => client.send(text))).toEqual([
      frames.error(null, `Invalid ${event}: "data" must be an object`, 'invalid_message'),
    ]);
  });

  test.each(
    ['pusher:subscribe', 'pusher:unsubscribe'].flatMap((event) =>
      ['{}', '{"channel":null}', '{"channel":1}', '{"channel":["news"]}', '{"channel":{}}'].map(
        (data) => `{"event":"${event}","data":${data}}`,
      ),
    ),
  )('is answered with an error where the channel is no string: %s', async (text) => {
    const { event } = JSON.parse(text);
    expect(await answers((client) => client.send(text))).toEqual([
      frames.error(null, `Invalid ${event}: "channel" must be a string`, 'invalid_message'),
    ]);
  });

  test.each([[1], [true], [[]], [{}], [[null]]])('is refused as channel_data: %j', async (channelData) => {
    const subscribe = (client: TestClient) =>
      client.subscribe('presence-a', { auth: 'key-1:0', channel_data: channelData });
    const reason = 'channel_data must be a string that holds JSON';
    expect(await answers(subscribe)).toEqual([
      frames.subscriptionError('presence-a', 'InvalidChannelData', reason, 400, 'invalid_channel_data'),
    ]);
  });

  test.each([[undefined], [null], [1], [true], [[]], [{}]])(
    'is refused as user_data: %j',
    async (userData) => {
      const signIn = (client: TestClient) =>
        client.send({ event: 'pusher:signin', data: { auth: 'key-1:0', user_data: userData } });
      expect(await answers(signIn)).toEqual([
        frames.error(4009, 'user_data must be a string that holds JSON', 'invalid_user_data'),
      ]);
    },
  );

  test.each(['null', '1', '"x"', '[]', '', '{'])('is refused as signed user_data: %j', async (userData) => {
    const signIn = (client: TestClient) => signInWith(client, userData);
    expect(await answers(signIn)).toEqual([
      frames.error(4009, 'user_data must be a JSON object', 'invalid_user_data'),
    ]);
  });

  test.each([
    '{"event":"client-a","data":1}',
    '{"event":"client-a","channel":"private-a"}',
    '{"event":"client-a","channel":null,"data":1}',
    '{"event":"client-a","channel":["private-a"],"data":1}',
  ])('is answered with an error in a client event: %s', async (text) => {
    expect(await answers((client) => client.send(text))).toEqual([
      frames.error(
        null,
        'Invalid client event: it must contain a string "channel" and "data"',
        'invalid_message',
      ),
    ]);
  });

  test('does no harm where nobody reads it', async () => {
    const client = await connect(await startServer());
    client.send(
      '{"event":"pusher:subscribe","channel":7,"user_id":[],"data":{"channel":"news","auth":[],"__proto__":{"auth":1}}}',
    );
    expect(await client.next()).toBe(frames.subscribed('news'));
  });
});

test.each([
  '',
  ' ',
  'a b',
  'a\u0000',
  '\u0000',
  'a\n',
  'a/b',
  'a:b',
  'é',
  '\ud800',
  '#',
  '#a',
  'a'.repeat(201),
])('a channel that may not be called %j is refused', async (channel) => {
  const [answer] = await answers((client) => client.subscribe(channel));
  expect(answer).toMatch(
    /^\{"event":"pusher:subscription_error".*\\"InvalidChannel\\".*400,\\"code\\":\\"invalid_channel\\"\}"\}$/,
  );
});

test('an endless channel name is logged up to 200 characters', async () => {
  const { log, lines } = recordLog('info');
  const client = await connect(await startServer({ parts: { log } }));
  client.subscribe('x'.repeat(60_000));
  await client.next();
  const refused = lines.filter(({ msg }) => msg === 'subscription refused');
  expect(refused).toMatchObject([{ channel: 'x'.repeat(200), type: 'InvalidChannel' }]);
});

test('a forged socket id in what is signed proves nothing for this connection', async () => {
  const broker = await startServer();
  const [client, other] = [await connect(broker), await connect(broker)];
  for (const id of [other.socketId, '1.1', `${client.socketId}:private-a`, `${client.socketId}\n`, '']) {
    client.subscribe('private-a', { auth: authorize(id, 'private-a'), socket_id: id });
    expect(await client.next()).toBe(
      frames.subscriptionError('private-a', 'AuthError', 'Invalid signature', 401, 'invalid_signature'),
    );
  }
});

test.each([
  ['a frame without mask', [frameOf({ payload: '{"event":"pusher:ping"}', masked: false })]],
  ['an empty frame without mask', [frameOf({ masked: false })]],
  ['a Ping without mask', [frameOf({ opcode: opcodes.ping, masked: false })]],
  ['a compressed frame, which nobody agreed on', [frameOf({ payload: 'x', reserved: 4 })]],
  ['a reserved bit', [frameOf({ payload: 'x', reserved: 1 })]],
  ['a reserved opcode', [frameOf({ opcode: 3 })]],
  ['a reserved control opcode', [frameOf({ opcode: 11 })]],
  ['a continuation of nothing', [frameOf({ opcode: opcodes.continuation })]],
  ['a message within another', [frameOf({ fin: false, payload: 'a' }), frameOf({ payload: 'b' })]],
  ['a Ping of 126 bytes', [frameOf({ opcode: opcodes.ping, payload: 'x'.repeat(126) })]],
  ['a Ping in fragments', [frameOf({ opcode: opcodes.ping, fin: false })]],
  ['a close of one byte', [frameOf({ opcode: opcodes.close, payload: 'x' })]],
  [
    'a close with a code that there is not',
    [frameOf({ opcode: opcodes.close, payload: Buffer.from([3, 237]) })],
  ],
])('%s breaks the framing, and is closed with 1002', async (_what, bytes) => {
  expect(await end(...bytes)).toMatchObject({ code: 1002 });
});

describe('a client that goes', () => {
  test.each([
    ['a header', frameOf({ payload: 'x'.repeat(200) }).subarray(0, 3)],
    ['a frame', frameOf({ payload: 'x'.repeat(200) }).subarray(0, 100)],
    ['a message', frameOf({ payload: 'x', fin: false })],
  ])('in the middle of %s does no harm', async (_what, bytes) => {
    const broker = await startServer();
    const client = await connectRaw(broker);
    client.send(bytes);
    client.socket.end();
    await client.closed();
    await expectService(broker);
  });

  test('while it is sent something does no harm', async () => {
    const broker = await startServer();
    const [client, other] = [await connectRaw(broker), await connect(broker)];
    client.send(frameOf({ payload: '{"event":"pusher:subscribe","data":{"channel":"news"}}' }));
    await client.next();
    await other.join('news');
    client.socket.resetAndDestroy();
    for (let count = 0; count < 10; count += 1) await publish(broker, 'news', 'a', String(count));
    for (let count = 0; count < 10; count += 1) {
      expect(await other.next()).toBe(frames.event('a', 'news', String(count)));
    }
  });
});
