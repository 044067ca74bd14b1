import { describe, expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const ROOM = 'presence-room';
const BOB = { user_id: 'bob', user_info: { name: 'Bob' } };
const bob = ['bob', { name: 'Bob' }] as const;

function invalid(error: string): string {
  return frames.subscriptionError(ROOM, 'InvalidChannelData', error, 400, 'invalid_channel_data');
}

function tooLong(error: string): string {
  return frames.subscriptionError(ROOM, 'LimitReached', error, 413, 'member_too_large');
}

describe('user_id', () => {
  test.each([
    '7',
    ' ',
    'zoë Ω 漢字 🚀',
    'a:b',
    '"',
    '\0',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'length',
    'a'.repeat(128),
  ])('may be %j', async (id) => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await witness.join(ROOM, BOB);
    expect(await client.join(ROOM, { user_id: id })).toBe(frames.presence(ROOM, [bob, [id, null]]));
    expect(await witness.next()).toBe(frames.memberAdded(ROOM, id));
    client.unsubscribe(ROOM);
    expect(await witness.next()).toBe(frames.memberRemoved(ROOM, id));
    client.askFor(ROOM, { user_id: id, user_info: { of: id } });
    expect(await witness.next()).toBe(frames.memberAdded(ROOM, id, { of: id }));
    const { body } = await request(server, 'GET', `/channels/${ROOM}/users`);
    expect(body).toEqual({ users: [{ id: 'bob' }, { id }] });
  });

  test.each([
    ['10', '10'],
    ['-1', '-1'],
    ['0', '0'],
    ['1e3', '1000'],
    ['9007199254740991', '9007199254740991'],
  ])('may be the number %s, and is a text from then on', async (number, id) => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await witness.join(ROOM, BOB);
    expect(await client.join(ROOM, `{"user_id":${number}}`)).toBe(frames.presence(ROOM, [bob, [id, null]]));
    expect(await witness.next()).toBe(frames.memberAdded(ROOM, id));
  });

  test.each([
    ['9007199254740991', '9007199254740991'],
    ['9007199254740993', '9007199254740993'],
    ['1915883588174806058', '1915883588174806058'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['18446744073709551615', '18446744073709551615'],
    ['7.0', '7'],
    ['-0', '0'],
  ])('is the text of the whole number %s', async (number, id) => {
    const server = await startServer();
    const [first, second] = [await connect(server), await connect(server)];
    expect(await first.join(ROOM, `{ "user_id" : ${number} , "n":1}`)).toBe(
      frames.presence(ROOM, [[id, null]]),
    );
    expect(await second.join(ROOM, { user_id: id })).toBe(frames.presence(ROOM, [[id, null]]));
  });

  test('is the last one of several, as parsers have it', async () => {
    const server = await startServer();
    const data = '{"user_id":1,"user_info":{"user_id":2},"user\\u005fid":9007199254740993}';
    expect(await (await connect(server)).join(ROOM, data)).toBe(
      frames.presence(ROOM, [['9007199254740993', { user_id: 2 }]]),
    );
  });

  test('is the same user as a number and as a text', async () => {
    const server = await startServer();
    const [first, second] = [await connect(server), await connect(server)];
    await first.join(ROOM, { user_id: 10 });
    expect(await second.join(ROOM, { user_id: '10' })).toBe(frames.presence(ROOM, [['10', null]]));
  });

  test.each([
    '{}',
    '{"user_id":""}',
    '{"user_id":null}',
    '{"user_id":true}',
    '{"user_id":false}',
    '{"user_id":{}}',
    '{"user_id":["7"]}',
    '{"user_id":1.5}',
    '{"user_id":1e400}',
    '{"user_id":1e20}',
    '{"user_id":-1e-7}',
    '{"user_id":9007199254740992.0}',
    '{"__proto__":{"user_id":"7"}}',
  ])('cannot be had from %s', async (channelData) => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(ROOM, channelData)).toBe(
      invalid('channel_data must have a user_id: a string that is not empty, or a whole number'),
    );
  });

  test('has at most 128 characters', async () => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(ROOM, { user_id: 'a'.repeat(129) })).toBe(
      tooLong('user_id is longer than 128 characters'),
    );
  });
});

describe('user_info', () => {
  test.each([
    ['{"user_id":"7","user_info":{}}', {}],
    ['{"user_id":"7","user_info":{"a":{"b":[1,"2",null]}}}', { a: { b: [1, '2', null] } }],
    ['{"user_id":"7","user_info":null}', null],
    ['{"user_id":"7"}', null],
    ['{"user_id":"7","role":"admin"}', null],
  ] as const)('of %s is %j', async (channelData, info) => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await witness.join(ROOM, BOB);
    expect(await client.join(ROOM, channelData)).toBe(frames.presence(ROOM, [bob, ['7', info]]));
    expect(await witness.next()).toBe(frames.memberAdded(ROOM, '7', info ?? undefined));
  });

  test.each([
    '{"id":12345678901234567890,"ratio":1.0,"big":1e400}',
    '{ "name" : "Zo\\u00eb" ,\n\t"a": [ 1 , 2 ] }',
    '{"a":1,"a":2,"__proto__":{"b":"\\"}\\\\"}}',
    '{"half":"\\ud800","quote":"\\"","tail":"\\\\"}',
  ])('is passed on byte for byte: %s', async (info) => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await witness.join(ROOM, BOB);
    const encoded = (text: string): string => JSON.stringify(text).slice(1, -1);
    for (const data of [
      `{"user_id":"7","user_info":${info}}`,
      `{"user_info":{"old":1},"user_info" : ${info} , "user_id":"7"}`,
    ]) {
      const snapshot = await client.join(ROOM, data);
      expect(snapshot).toContain(encoded(`"7":${info}}`));
      expect(await witness.next()).toContain(encoded(`{"user_id":"7","user_info":${info}}`));
      client.unsubscribe(ROOM);
      await witness.next();
    }
  });

  test('of a sign-in is passed on byte for byte, too', async () => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    await witness.join(ROOM, BOB);
    const info = '{ "id": 12345678901234567890 }';
    await client.signIn(`{"id":"ann","user_info":${info}}`);
    expect(await client.join(ROOM)).toContain(JSON.stringify(`"ann":${info}}`).slice(1, -1));
    expect(await witness.next()).toContain(JSON.stringify(`"user_info":${info}}`).slice(1, -1));
  });

  test.each(['"Ann"', '7', 'true', 'false', '[]', '[{}]', '""'])('cannot be %s', async (info) => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(ROOM, `{"user_id":"7","user_info":${info}}`)).toBe(
      invalid('user_info must be an object'),
    );
  });
});

describe('channel_data', () => {
  test.each(['x', '7', '"7"', '[]', 'null', '{"user_id":"7"'])('cannot be %s', async (channelData) => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(ROOM, channelData)).toBe(invalid('channel_data must be a JSON object'));
  });

  test('is needed unless the connection has signed in', async () => {
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(ROOM)).toBe(
      invalid('A presence channel needs channel_data with a user_id, unless the connection has signed in'),
    );
  });

  test.each([
    ['letters', 'a'],
    ['letters of two bytes each', 'ë'],
  ])('has at most 1024 bytes, in %s', async (_, letter) => {
    const frame = '{"user_id":"7","user_info":{"a":""}}'.length;
    const fill = letter.repeat((1024 - frame) / Buffer.byteLength(letter));
    const server = await startServer();
    const client = await connect(server);
    expect(await client.join(ROOM, { user_id: '7', user_info: { a: `${fill}.` } })).toBe(
      tooLong('channel_data is longer than 1024 bytes'),
    );
    expect(await client.join(ROOM, { user_id: '7', user_info: { a: fill } })).toBe(
      frames.presence(ROOM, [['7', { a: fill }]]),
    );
  });

  test('has as many bytes as the app allows', async () => {
    const server = await startServer({ limits: { presenceMemberBytes: 16 } });
    const client = await connect(server);
    expect(await client.join(ROOM, '{"user_id": "77"}')).toBe(
      tooLong('channel_data is longer than 16 bytes'),
    );
    expect(await client.join(ROOM, '{"user_id":"77"}')).toBe(frames.presence(ROOM, [['77', null]]));
  });
});
