import { describe, expect, test } from 'vitest';
import { connect } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { get, post, send, signed, startExample } from '../helpers/http.ts';
import { app, boxVectors, NONCE } from '../packages/vectors.ts';

const EVENT = { name: 'e', channel: 'c', data: 'x' };

/** What the broker says of a body of `POST events`. */
async function refusal(body: unknown) {
  const { status, error } = await post(await startExample(), 'events', body);
  return [status, error];
}

describe('an event', () => {
  test('reaches the subscribers of each of its channels, once for each, whatever the list repeats', async () => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.join('news');
    await client.join('private-a');
    const channels = ['news', 'private-a', 'news', 'empty'];
    expect(await post(broker, 'events', { name: 'e', channels, data: '1' })).toMatchObject({
      status: 200,
      text: '{}',
    });
    expect(await client.nothing()).toEqual([
      frames.event('e', 'news', '1'),
      frames.event('e', 'private-a', '1'),
    ]);
  });

  test.each([
    '',
    'null',
    'hello',
    '{"a": 1, "a": 2}',
    '123456789012345678901234567890',
    '\u2028 \u0000 "\\" 漢字 🚀',
    '['.repeat(4500) + ']'.repeat(4500),
  ])('is delivered with its data as it came: %.20s', async (data) => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.join('news');
    expect(await post(broker, 'events', { ...EVENT, channel: 'news', data })).toMatchObject({ status: 200 });
    expect(await client.next()).toBe(frames.event('e', 'news', data));
  });

  test.each(['App\\Events\\Sent', 'grüße', 'client-typing', '🚀'.repeat(100), 'pusher', '__proto__'])(
    'may be called %.20s',
    async (name) => {
      const broker = await startExample();
      const client = await connect(broker, app);
      await client.join('news');
      expect(await post(broker, 'events', { name, channel: 'news', data: 'x' })).toMatchObject({
        status: 200,
      });
      expect(await client.next()).toBe(frames.event(name, 'news', 'x'));
    },
  );

  test('is kept from the connection that caused it, and from no other', async () => {
    const broker = await startExample();
    const [sender, other] = [await connect(broker, app), await connect(broker, app)];
    for (const client of [sender, other]) await client.join('news');
    await post(broker, 'events', { ...EVENT, channel: 'news', socket_id: sender.socketId });
    expect(await other.next()).toBe(frames.event('e', 'news', 'x'));
    expect(await sender.nothing()).toEqual([]);
    const unknown = await post(broker, 'events', { ...EVENT, channel: 'news', socket_id: '1.1' });
    expect(unknown).toMatchObject({ status: 200 });
    expect(await sender.next()).toBe(frames.event('e', 'news', 'x'));
  });

  test('reaches a signed-in user on all of his connections', async () => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.signIn({ id: '7' });
    await client.join('#server-to-user-7');
    const body = {
      name: 'e',
      channels: ['#server-to-user-7', '#server-to-user-8'],
      data: 'x',
      info: 'subscription_count',
    };
    const answer = await post(broker, 'events', body);
    expect(answer.text).toBe('{"channels":{"#server-to-user-7":{},"#server-to-user-8":{}}}');
    expect(await client.next()).toBe(frames.event('e', '#server-to-user-7', 'x'));
  });

  test('may have keys that nobody knows, and null where a key may be missing', async () => {
    const body = { ...EVENT, channels: null, socket_id: null, info: null, more: { deep: [] } };
    expect(await refusal(body)).toEqual([200, '']);
    expect(
      await refusal('{"__proto__":{"name":1},"constructor":1,"name":"e","channel":"c","data":"x"}'),
    ).toEqual([200, '']);
  });
});

describe('info', () => {
  test('tells what applies to each channel, and nothing else', async () => {
    const broker = await startExample();
    const [ann, bob] = [await connect(broker, app), await connect(broker, app)];
    await ann.join('presence-a', { user_id: 'ann' });
    await bob.join('presence-a', { user_id: 'ann' });
    await ann.join('news');
    const body = { name: 'e', channels: ['presence-a', 'news', 'cache-empty', '__proto__'], data: 'x' };
    const ask = async (info: string) => (await post(broker, 'events', { ...body, info })).text;
    expect(await ask('user_count,subscription_count')).toBe(
      '{"channels":{"presence-a":{"user_count":1,"subscription_count":2},"news":{"subscription_count":1},"cache-empty":{"subscription_count":0},"__proto__":{"subscription_count":0}}}',
    );
    expect(await ask('user_count')).toBe(
      '{"channels":{"presence-a":{"user_count":1},"news":{},"cache-empty":{},"__proto__":{}}}',
    );
    expect(await ask('')).toBe('{}');
  });

  test.each(['cache', 'user_counts', 'user_count,', ' user_count', 'constructor', ','])(
    'must not ask for "%s"',
    async (info) => {
      const name = info.split(',').find((each) => each !== 'user_count');
      expect(await refusal({ ...EVENT, info })).toEqual([
        400,
        `Unknown attribute "${name}" in "info": use a comma list of user_count, subscription_count, position`,
      ]);
    },
  );
});

describe('a body is refused with what to change', () => {
  const missing = 'The channel is missing: give "channels" (a list of names) or "channel" (one)';
  const names = 'Expected 1 to 200 of A-Z a-z 0-9 _ - = @ , . ;';
  test.each<readonly [body: object, error: string]>([
    [{}, '"name" is missing: expected a string'],
    [{ ...EVENT, name: 1 }, '"name" is 1: expected a string'],
    [{ ...EVENT, name: '' }, '"name" has 0 characters: expected 1 to 200'],
    [{ ...EVENT, name: 'n'.repeat(201) }, '"name" has 201 characters: expected 1 to 200'],
    [
      { ...EVENT, name: 'pusher:e' },
      '"name" must not begin with pusher: or pusher_internal:, which are reserved',
    ],
    [
      { ...EVENT, name: 'pusher_internal:e' },
      '"name" must not begin with pusher: or pusher_internal:, which are reserved',
    ],
    [{ ...EVENT, data: undefined }, '"data" is missing: expected a string'],
    [{ ...EVENT, data: null }, '"data" is null: expected a string'],
    [{ ...EVENT, data: { a: 1 } }, '"data" is an object: expected a string'],
    [{ ...EVENT, data: [] }, '"data" is a list: expected a string'],
    [{ ...EVENT, data: 1e300 }, '"data" is 1e+300: expected a string'],
    [{ ...EVENT, channel: undefined }, missing],
    [{ ...EVENT, channel: 7 }, '"channel" is 7: expected a string'],
    [{ ...EVENT, channel: '' }, `Invalid channel name in "channel": "". ${names}`],
    [{ ...EVENT, channel: undefined, channels: 'c' }, '"channels" is "c": expected a list'],
    [{ ...EVENT, channel: undefined, channels: { 0: 'c' } }, '"channels" is an object: expected a list'],
    [{ ...EVENT, channel: undefined, channels: [] }, '"channels" holds 0 names: expected 1 to 100'],
    [{ ...EVENT, channels: ['d'] }, 'Give "channel" or "channels", not both'],
    [{ ...EVENT, channel: undefined, channels: ['c', 7] }, `Invalid channel name in "channels": 7. ${names}`],
    [
      { ...EVENT, channel: undefined, channels: [['c']] },
      `Invalid channel name in "channels": a list. ${names}`,
    ],
    [{ ...EVENT, channel: 'a b' }, `Invalid channel name in "channel": "a b". ${names}`],
    [{ ...EVENT, channel: 'a\u0000' }, `Invalid channel name in "channel": "a\\u0000". ${names}`],
    [{ ...EVENT, channel: 'a\n' }, `Invalid channel name in "channel": "a\\n". ${names}`],
    [{ ...EVENT, channel: '#private' }, `Invalid channel name in "channel": "#private". ${names}`],
    [
      { ...EVENT, channel: '#server-to-user-' },
      `Invalid channel name in "channel": "#server-to-user-". ${names}`,
    ],
    [
      { ...EVENT, channel: 'c'.repeat(201) },
      `Invalid channel name in "channel": "${'c'.repeat(79)}…. ${names}`,
    ],
    [{ ...EVENT, socket_id: 1.1 }, '"socket_id" is 1.1: expected a string'],
    [{ ...EVENT, socket_id: '' }, '"socket_id" is "": expected digits, a dot, digits'],
    [{ ...EVENT, socket_id: '1.1\n' }, '"socket_id" is "1.1\\n": expected digits, a dot, digits'],
    [{ ...EVENT, socket_id: '1.1:x' }, '"socket_id" is "1.1:x": expected digits, a dot, digits'],
    [{ ...EVENT, info: ['user_count'] }, '"info" is a list: expected a string'],
  ])('%.80j', async (body, error) => {
    expect(await refusal(body)).toEqual([400, error]);
  });

  test.each<readonly [body: string | Buffer, error: RegExp]>([
    ['', /^The body is not JSON: /],
    ['{', /^The body is not JSON: /],
    ['{"name":"e"}}', /^The body is not JSON: /],
    ['\uFEFF{}', /^The body is not JSON: /],
    ['name=e&data=x&channel=c', /^The body is not JSON: /],
    ['{"data":"\u0000"}', /^The body is not JSON: /],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /^The body is not UTF-8$/],
    [Buffer.from([0xed, 0xa0, 0x80]), /^The body is not UTF-8$/],
    ['[]', /^The body must be a JSON object$/],
    ['null', /^The body must be a JSON object$/],
    ['"x"', /^The body must be a JSON object$/],
    ['1', /^The body must be a JSON object$/],
    [`{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, /^"name" is missing/],
    [`{"name":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, /^"name" is an object/],
    [`{"name":1${'0'.repeat(100_000)}}`, /^"name" is null/],
    [`{"name":"e","data":"x","channels":[${'1,'.repeat(200_000)}1]}`, /^"channels" holds 200001 names/],
  ])('%.40s', async (body, error) => {
    const broker = await startExample();
    const answer = await send(broker, signed({ method: 'POST', path: '/apps/3/events', body }));
    expect(answer).toMatchObject({ status: 400, error: expect.stringMatching(error) });
    expect(await post(broker, 'events', EVENT)).toMatchObject({ status: 200 });
  });
});

describe('limits', () => {
  const tooMuch = 'The data content of this event exceeds the allowed maximum (10240 bytes)';

  test('data has at most 10240 bytes, in characters of any length', async () => {
    for (const [data, status] of [
      ['x'.repeat(10_240), 200],
      ['x'.repeat(10_241), 413],
      ['é'.repeat(5120), 200],
      [`${'é'.repeat(5120)}x`, 413],
      ['🚀'.repeat(2560), 200],
      [`${'漢'.repeat(3413)}xx`, 413],
      [`${'漢'.repeat(3413)}x`, 200],
    ] as const) {
      expect(await refusal({ ...EVENT, data })).toEqual([status, status === 413 ? tooMuch : '']);
    }
  });

  test('a body has at most 1 MiB', async () => {
    const broker = await startExample();
    const bodyOf = (size: number) =>
      JSON.stringify({ ...EVENT, padding: '' }).replace(/"}$/, `${'x'.repeat(size)}"}`);
    const room = 1_048_576 - bodyOf(0).length;
    expect(await post(broker, 'events', bodyOf(room))).toMatchObject({ status: 200 });
    for (const path of ['events', 'batch_events', 'users/7/terminate_connections']) {
      expect(await post(broker, path, bodyOf(room + 1))).toMatchObject({
        status: 413,
        error: 'The body exceeds the allowed maximum (1048576 bytes)',
      });
    }
  });

  test('ten events of 10 KB fit, even with every byte escaped', async () => {
    const broker = await startExample();
    const item = `{"channel":"c","name":"e","data":"${'\\u0001'.repeat(10_240)}"}`;
    const answer = await post(broker, 'batch_events', `{"batch":[${Array(10).fill(item)}]}`);
    expect(answer).toMatchObject({ status: 200, text: '{}' });
  });

  test('an event has at most 100 channels', async () => {
    const channels = Array.from({ length: 101 }, (_, index) => `c${index}`);
    expect(await refusal({ name: 'e', data: 'x', channels: channels.slice(1) })).toEqual([200, '']);
    expect(await refusal({ name: 'e', data: 'x', channels })).toEqual([
      400,
      '"channels" holds 101 names: expected 1 to 100',
    ]);
  });

  test('names have at most 200 characters', async () => {
    expect(await refusal({ name: 'n'.repeat(200), channel: 'c'.repeat(200), data: 'x' })).toEqual([200, '']);
  });

  test('an app may have its own', async () => {
    const limits = {
      eventDataBytes: 4,
      eventNameLength: 3,
      channelNameLength: 2,
      channelsPerPublish: 1,
      batchSize: 1,
    };
    const broker = await startExample({ app: { limits } });
    expect(await post(broker, 'events', { name: 'abc', channel: 'cc', data: 'éé' })).toMatchObject({
      status: 200,
    });
    for (const [change, status] of [
      [{ data: 'ééx' }, 413],
      [{ name: 'abcd' }, 400],
      [{ channel: 'ccc' }, 400],
      [{ channel: undefined, channels: ['a', 'b'] }, 400],
    ] as const) {
      const body = { name: 'abc', channel: 'cc', data: 'x', ...change };
      expect(await post(broker, 'events', body)).toMatchObject({ status });
    }
    expect(await post(broker, 'batch_events', { batch: [EVENT, EVENT] })).toMatchObject({ status: 400 });
  });
});

describe('a batch', () => {
  test('is delivered in its order', async () => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.join('a');
    await client.join('b');
    const batch = ['a', 'b', 'a', 'a', 'b'].map((channel, index) => ({
      channel,
      name: `e${index}`,
      data: '',
    }));
    expect(await post(broker, 'batch_events', { batch })).toMatchObject({ status: 200, text: '{}' });
    const expected = batch.map(({ channel, name, data }) => frames.event(name, channel, data));
    expect(await client.nothing()).toEqual(expected);
  });

  test('leaves out one connection for each event, and describes the channels of those that ask', async () => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.join('presence-a', { user_id: 'ann' });
    const batch = [
      { ...EVENT, channel: 'presence-a', socket_id: client.socketId, info: 'user_count,subscription_count' },
      { ...EVENT, channel: 'presence-a', name: 'last' },
    ];
    expect((await post(broker, 'batch_events', { batch })).text).toBe(
      '{"batch":[{"user_count":1,"subscription_count":1},{}]}',
    );
    expect(await client.next()).toBe(frames.event('last', 'presence-a', 'x'));
  });

  test('may be empty', async () => {
    expect(await post(await startExample(), 'batch_events', { batch: [] })).toMatchObject({
      status: 200,
      text: '{}',
    });
  });

  test('has at most 10 events', async () => {
    const broker = await startExample();
    expect(await post(broker, 'batch_events', { batch: Array(10).fill(EVENT) })).toMatchObject({
      status: 200,
    });
    expect(await post(broker, 'batch_events', { batch: Array(11).fill(EVENT) })).toMatchObject({
      status: 400,
      error: '"batch" holds 11 events: the allowed maximum is 10',
    });
  });

  test.each<readonly [item: unknown, status: number, error: string]>([
    [null, 400, '"batch[1]" is null: expected an object'],
    ['c', 400, '"batch[1]" is "c": expected an object'],
    [{}, 400, '"batch[1].name" is missing: expected a string'],
    [{ ...EVENT, data: 1 }, 400, '"batch[1].data" is 1: expected a string'],
    [{ ...EVENT, name: '' }, 400, '"batch[1].name" has 0 characters: expected 1 to 200'],
    [
      { ...EVENT, name: 'pusher:x' },
      400,
      '"batch[1].name" must not begin with pusher: or pusher_internal:, which are reserved',
    ],
    [{ ...EVENT, channels: ['c'] }, 400, '"batch[1].channels" is a list: expected nothing'],
    [
      { ...EVENT, channel: undefined, channels: ['c'] },
      400,
      '"batch[1].channel" is missing: expected a string',
    ],
    [
      { ...EVENT, channel: 'a b' },
      400,
      'Invalid channel name in "batch[1].channel": "a b". Expected 1 to 200 of A-Z a-z 0-9 _ - = @ , . ;',
    ],
    [{ ...EVENT, socket_id: 'x' }, 400, '"batch[1].socket_id" is "x": expected digits, a dot, digits'],
    [
      { ...EVENT, info: 'x' },
      400,
      'Unknown attribute "x" in "batch[1].info": use a comma list of user_count, subscription_count, position',
    ],
    [
      { ...EVENT, data: 'x'.repeat(10_241) },
      413,
      'The data content of this event exceeds the allowed maximum (10240 bytes)',
    ],
  ])('with one wrong event publishes nothing: %.80j', async (item, status, error) => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.join('c');
    const answer = await post(broker, 'batch_events', { batch: [EVENT, item, EVENT] });
    expect([answer.status, answer.error]).toEqual([status, error]);
    expect(await client.nothing()).toEqual([]);
  });

  test.each<readonly [batch: unknown, error: string]>([
    [undefined, '"batch" is missing: expected a list'],
    [{}, '"batch" is an object: expected a list'],
    ['x', '"batch" is "x": expected a list'],
  ])('is a list: %j', async (batch, error) => {
    expect(await post(await startExample(), 'batch_events', { batch })).toMatchObject({ status: 400, error });
  });
});

describe('an encrypted channel', () => {
  const channel = 'private-encrypted-bla';
  const sealed = (ciphertext: string, nonce = NONCE) => JSON.stringify({ nonce, ciphertext });

  test.each(boxVectors)('takes the box $id', async ({ ciphertext }) => {
    const broker = await startExample();
    const client = await connect(broker, app);
    await client.join(channel);
    const data = sealed(ciphertext);
    expect(await post(broker, 'events', { ...EVENT, channel, data })).toMatchObject({ status: 200 });
    expect(await client.next()).toBe(frames.event('e', channel, data));
  });

  const [{ ciphertext }] = boxVectors as [(typeof boxVectors)[number]];
  test.each([
    'plain text',
    '{"message":"in the clear"}',
    'null',
    '[]',
    '',
    JSON.stringify({ nonce: NONCE }),
    JSON.stringify({ ciphertext }),
    JSON.stringify({ nonce: NONCE, ciphertext: 7 }),
    sealed(ciphertext, ''),
    sealed(ciphertext, NONCE.slice(4)),
    sealed(ciphertext, `${NONCE}AAAA`),
    sealed(ciphertext, `${NONCE.slice(1)}*`),
    sealed('AAAAAAAAAAAAAAAAAAAA'), // 15 bytes
    sealed(`${ciphertext}!`),
    '['.repeat(5000) + ']'.repeat(5000),
  ])('takes nothing else: %.60s', async (data) => {
    const error =
      '"data" must be encrypted for a private-encrypted- channel: {"nonce":BASE64_OF_24_BYTES,"ciphertext":BASE64}';
    expect(await refusal({ ...EVENT, channel, data })).toEqual([400, error]);
    expect(await refusal({ ...EVENT, channel: 'private-encrypted-cache-a', data })).toEqual([400, error]);
    const batch = [{ ...EVENT, channel, data }];
    expect(await post(await startExample(), 'batch_events', { batch })).toMatchObject({
      status: 400,
      error: error.replace('data', 'batch[0].data'),
    });
  });

  test('goes alone in an event, and with others in a batch', async () => {
    const event = { name: 'e', data: sealed(ciphertext) };
    for (const other of ['news', 'private-encrypted-other']) {
      expect(await refusal({ ...event, channels: [channel, other] })).toEqual([
        400,
        'An event for an encrypted channel goes to that channel alone, since each has its own key',
      ]);
    }
    expect(await refusal({ ...event, channels: [channel, channel] })).toEqual([200, '']);
    const batch = [
      { ...event, channel },
      { ...event, channel: 'news' },
    ];
    expect(await post(await startExample(), 'batch_events', { batch })).toMatchObject({ status: 200 });
  });
});

test('the last published event of a cache channel is kept as it came', async () => {
  const broker = await startExample();
  await post(broker, 'events', { name: 'first', channel: 'cache-a', data: '1', socket_id: '1.1' });
  await post(broker, 'events', { name: 'second', channel: 'cache-a', data: '{"n": 2}' });
  const { text } = await get(broker, 'channels/cache-a', { info: 'cache' });
  expect(text).toBe('{"occupied":false,"cache":{"data":"{\\"n\\": 2}","ttl":1800}}');
});
