import { sign } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { authorize, connect, type Received, type TestClient } from '../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes, type RawReceived } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';

const notAnObject = frames.error(
  null,
  'Invalid message: expected a JSON object with a string "event"',
  'invalid_message',
);
const nestedBy = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

/** Proves that another client is served as if nothing had happened. */
async function expectService(broker: Broker): Promise<void> {
  const other = await connect(broker);
  expect(await other.join('private-other')).toBe(frames.subscribed('private-other'));
}

/** What a client is answered that sends this, while its connection stays and others are served. */
async function answers(send: (client: TestClient) => void, settings?: ServerSettings): Promise<Received[]> {
  const broker = await startServer(settings);
  const client = await connect(broker);
  send(client);
  const received = [await client.next(), ...(await client.nothing())];
  await expectService(broker);
  return received;
}

/** How the connection of a raw client ends that sends this, while others are served. */
async function end(...bytes: readonly Buffer[]): Promise<RawReceived> {
  const broker = await startServer();
  const client = await connectRaw(broker);
  client.send(...bytes);
  const received = await client.closed();
  await expectService(broker);
  return received;
}

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

function signInWith(client: TestClient, userData: string): void {
  const auth = `${APP.key}:${sign(APP.secret, `${client.socketId}::user::${userData}`)}`;
  client.send({ event: 'pusher:signin', data: { auth, user_data: userData } });
}

describe('deep nesting', () => {
  const deep = nestedBy(4500);

  async function pair(): Promise<[Broker, sender: TestClient, listener: TestClient]> {
    const broker = await startServer();
    const [sender, listener] = [await connect(broker), await connect(broker)];
    await sender.join('private-a');
    await listener.join('private-a');
    return [broker, sender, listener];
  }

  test('passes untouched in a string', async () => {
    const [broker, sender, listener] = await pair();
    sender.send({ event: 'client-a', channel: 'private-a', data: deep });
    expect(await listener.next()).toBe(frames.event('client-a', 'private-a', deep));
    await publish(broker, 'private-a', 'a', deep);
    expect(await listener.next()).toBe(frames.event('a', 'private-a', deep));
  });

  test('of the data of a client event is passed on up to 2000 levels', async () => {
    const [, sender, listener] = await pair();
    sender.send(`{"event":"client-a","channel":"private-a","data":${nestedBy(2000)}}`);
    expect(await listener.next()).toBe(frames.event('client-a', 'private-a', nestedBy(2000)));
  });

  test.each([2001, 30_000])(
    'of the data of a client event is answered with an error at %i levels',
    async (levels) => {
      const [broker, sender, listener] = await pair();
      sender.send(`{"event":"client-a","channel":"private-a","data":${nestedBy(levels)}}`);
      expect(await sender.nothing()).toEqual([
        frames.error(null, 'Invalid client event: "data" is nested too deeply', 'invalid_message'),
      ]);
      expect(await listener.nothing()).toEqual([]);
      await expectService(broker);
    },
  );

  test('of a whole frame is answered with an error', async () => {
    expect(await answers((client) => client.send(nestedBy(30_000)))).toEqual([notAnObject]);
  });

  test.each(['pusher:subscribe', 'pusher:unsubscribe', 'pusher:signin', 'unknown'])(
    'of the data of %s is answered with an error',
    async (event) => {
      const [answer, ...more] = await answers((client) => client.send(`{"event":"${event}","data":${deep}}`));
      expect(answer).toMatch(/^\{"event":"pusher:error"/);
      expect(more).toEqual([]);
    },
  );

  test.each(['auth', 'channel_data', 'channel'])(
    'of the field %s is answered with an error',
    async (field) => {
      const text = `{"event":"pusher:subscribe","data":{"channel":"private-a","${field}":${deep}}}`;
      const [answer, ...more] = await answers((client) => client.send(text));
      expect(answer).toMatch(/^\{"event":"pusher:(error|subscription_error)"/);
      expect(more).toEqual([]);
    },
  );

  test.each([1024, 65_536])(
    'of signed user_data of at most %i bytes is answered',
    async (presenceMemberBytes) => {
      const signIn = (client: TestClient) =>
        signInWith(client, `{"id":"ann","user_info":{"a":${nestedBy(30_000)}}}`);
      const received = await answers(signIn, { limits: { presenceMemberBytes } });
      expect(received).toEqual([expect.stringMatching(/^\{"event":"pusher:error"/)]);
    },
  );

  test.each([1024, 65_536])('of signed channel_data of at most %i bytes is refused', async (bytes) => {
    const broker = await startServer({ limits: { presenceMemberBytes: bytes } });
    const client = await connect(broker);
    const answer = await client.join('presence-a', {
      user_id: 'ann',
      user_info: { a: JSON.parse(nestedBy(1000)) },
    });
    expect(answer).toMatch(bytes === 1024 ? /LimitReached/ : /subscription_succeeded/);

    const channelData = `{"user_id":"bob","user_info":{"a":${nestedBy(30_000)}}}`;
    const auth = authorize(client.socketId, 'presence-b', channelData);
    client.subscribe('presence-b', { auth, channel_data: channelData });
    expect(await client.next()).toMatch(/^\{"event":"pusher:subscription_error"/);

    // It is not half in: the next one finds nobody.
    expect(await (await connect(broker)).join('presence-b', { user_id: 'cem' })).toBe(
      frames.presence('presence-b', [['cem', null]]),
    );
    await publish(broker, 'presence-b', 'a', 'x');
    expect(await client.nothing()).toEqual([]);
  });
});

describe('a name that objects have anyway', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

  test.each(names)('may be that of a channel: %s', async (name) => {
    const broker = await startServer();
    const client = await connect(broker);
    client.send({ event: 'pusher:unsubscribe', data: { channel: name } });
    expect(await client.join(name)).toBe(frames.subscribed(name));
    await publish(broker, name, name, 'x');
    expect(await client.next()).toBe(frames.event(name, name, 'x'));
    client.send({ event: 'pusher:unsubscribe', data: { channel: name } });
    expect(await client.nothing()).toEqual([]);
  });

  test.each(names)('may be that of a member: %s', async (name) => {
    const broker = await startServer();
    const [first, second] = [await connect(broker), await connect(broker)];
    await first.join('presence-a', { user_id: 'ann' });
    expect(await second.join('presence-a', { user_id: name, user_info: { a: 1 } })).toBe(
      frames.presence('presence-a', [
        ['ann', null],
        [name, { a: 1 }],
      ]),
    );
    expect(await first.next()).toBe(frames.memberAdded('presence-a', name, { a: 1 }));
    second.socket.close();
    expect(await first.next()).toBe(frames.memberRemoved('presence-a', name));
  });

  test.each(names)('may be that of a user: %s', async (name) => {
    const client = await connect(await startServer());
    expect(await client.signIn({ id: name })).toBe(frames.signedIn(JSON.stringify({ id: name })));
    expect(await client.join(`#server-to-user-${name}`)).toBe(frames.subscribed(`#server-to-user-${name}`));
  });

  test.each(names)('is no key unless it is configured: %s', async (name) => {
    const subscribe = (client: TestClient) =>
      client.subscribe('private-a', { auth: `${name}:${'0'.repeat(64)}` });
    const reason = `Invalid key in auth: this app has no key '${name}'`;
    expect(await answers(subscribe)).toEqual([
      frames.subscriptionError('private-a', 'AuthError', reason, 401, 'unknown_key'),
    ]);
  });

  test.each(names)('is a key like any other where it is configured: %s', async (name) => {
    const broker = await startServer({ app: { keys: [{ key: name, secret: APP.secret }] } });
    const client = await connectRaw(broker, `/app/${name}?protocol=7`);
    client.send(frameOf({ payload: '{"event":"pusher:ping"}' }));
    expect(await client.next()).toEqual({ opcode: opcodes.text, payload: frames.pong });
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

describe('a message in bytes', () => {
  test('that is binary is closed with 1003', async () => {
    expect(await end(frameOf({ opcode: opcodes.binary, payload: '{"event":"pusher:ping"}' }))).toEqual({
      code: 1003,
      reason: 'Binary frames are not part of the protocol',
    });
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['a character cut in half', [0xf0, 0x9f, 0x92]],
    ['a byte that UTF-8 never has', [0xff]],
  ])('that is not UTF-8, with %s, is closed with 1007', async (_what, bytes) => {
    const payload = Buffer.from([...Buffer.from('{"event":"'), ...bytes, ...Buffer.from('"}')]);
    expect(await end(frameOf({ payload }))).toMatchObject({ code: 1007 });
  });

  test('that is not UTF-8 across fragments is closed with 1007', async () => {
    const first = frameOf({ payload: Buffer.from([0xf0, 0x9f]), fin: false });
    const second = frameOf({ opcode: opcodes.continuation, payload: 'x' });
    expect(await end(first, second)).toMatchObject({ code: 1007 });
  });
});

describe('a message that is too large', () => {
  const settings = { config: { maxMessageBytes: 12_000 } };

  test('by one byte is closed with 1009', async () => {
    const broker = await startServer(settings);
    const client = await connect(broker);
    client.send(`"${'x'.repeat(11_999)}"`);
    expect(await client.closed()).toMatchObject({ code: 1009 });
    await expectService(broker);
  });

  test('is not one of maxMessageBytes', async () => {
    expect(await answers((client) => client.send(`"${'x'.repeat(11_998)}"`), settings)).toEqual([
      notAnObject,
    ]);
  });

  test.each([65_537, 2 ** 40])('is closed at its header, before its %i bytes came', async (length) => {
    expect(await end(frameOf({ length }))).toMatchObject({ code: 1009 });
  });

  test('beyond what numbers can tell is closed', async () => {
    expect(await end(Buffer.from([0x81, 0xff, ...Array<number>(12).fill(0xff)]))).toMatchObject({
      code: 1009,
    });
  });

  test('in fragments is closed with 1009', async () => {
    const first = frameOf({ payload: 'x'.repeat(60_000), fin: false });
    const second = frameOf({ opcode: opcodes.continuation, payload: 'x'.repeat(6000), fin: false });
    expect(await end(first, second)).toMatchObject({ code: 1009 });
  });
});

describe('fragments', () => {
  test('make one message', async () => {
    const client = await connectRaw(await startServer());
    client.send(frameOf({ payload: '{"event":', fin: false }));
    client.send(frameOf({ opcode: opcodes.continuation, fin: false }));
    client.send(frameOf({ opcode: opcodes.continuation, payload: '"pusher:ping"}' }));
    expect(await client.next()).toEqual({ opcode: opcodes.text, payload: frames.pong });
  });

  test('without end leave the connection to what comes between them', async () => {
    const broker = await startServer();
    const client = await connectRaw(broker);
    client.send(frameOf({ payload: '{"event":', fin: false }));
    client.send(frameOf({ opcode: opcodes.ping, payload: 'still here' }));
    expect(await client.next()).toEqual({ opcode: opcodes.pong, payload: 'still here' });
    await expectService(broker);
  });

  test('without end and content are closed with 1008', async () => {
    const more = Array<Buffer>(20_000).fill(frameOf({ opcode: opcodes.continuation, fin: false }));
    expect(await end(frameOf({ fin: false }), ...more)).toMatchObject({ code: 1008 });
  });
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
