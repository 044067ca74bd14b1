import {
  ArgumentError,
  Countersign,
  CountersignError,
  type CountersignOptions,
} from '@countersign/sdk-server';
import Pusher from 'pusher';
import { describe, expect, test } from 'vitest';
import { type Recorder, read, startRecorder } from '../helpers/brokers/recorder.ts';
import { app, MASTER_KEY } from '../packages/vectors.ts';

const credentials = { appId: app.id, key: app.key, secret: app.secret };

function connect(broker: Recorder, options: Partial<CountersignOptions> = {}): Countersign {
  return new Countersign({ ...credentials, port: broker.port, ...options });
}

function bodies(broker: Recorder): unknown[] {
  return broker.requests.map(({ body }) => JSON.parse(body));
}

function refusal(code: string, message?: RegExp) {
  return expect.objectContaining({ code, ...(message && { message: expect.stringMatching(message) }) });
}

describe('options', () => {
  const wrong: [what: string, options: object, message: RegExp][] = [
    ['no app id', { appId: undefined }, /^appId must/],
    ['an app id that would change the path', { appId: '../4' }, /^appId must/],
    ['no key', { key: '' }, /^key must/],
    ['no secret', { secret: undefined }, /^secret must/],
    ['a host with a scheme', { host: 'https://example.com' }, /^host must have no scheme: set useTLS/],
    ['a host with a scheme in capitals', { host: 'HTTP://example.com:6001/' }, /^host must have no scheme/],
    ['a host with a port', { host: 'example.com:6001' }, /^host must have no port: set port/],
    [
      'a host with the port that is given, too',
      { host: '127.0.0.1:6001', port: 6001 },
      /^host must have no port/,
    ],
    ['an IPv6 address with a port', { host: '[::1]:6001' }, /^host must have no port/],
    ['a host with a path', { host: 'example.com/realtime' }, /^host must have no path: set path/],
    ['a host with a slash', { host: 'example.com/' }, /^host must have no path/],
    ['a host with credentials', { host: 'a@b' }, /^host must be a host name or an address/],
    ['an IPv6 address that is none', { host: '[::g]' }, /^host must be/],
    ['an IPv6 address with a zone', { host: 'fe80::1%eth0' }, /^host must be/],
    ['an empty host', { host: '' }, /^host must be/],
    ['a host that is a URL', { host: new URL('http://example.com') }, /^host must be/],
    ['a port out of range', { port: 65_536 }, /^port must be an integer from 1 to 65535, not 65536$/],
    ['a port as text', { port: '6001' }, /^port must/],
    ['useTLS as text', { useTLS: 'true' }, /^useTLS must/],
    ['a path without a slash', { path: 'api' }, /^path must/],
    ['a path that ends with a slash', { path: '/api/' }, /^path must/],
    ['a path that the URL layer would change', { path: '/a/../b' }, /^path must/],
    ['a timeout of nothing', { timeout: 0 }, /^timeout must/],
    ['retries without end', { maxRetries: Number.POSITIVE_INFINITY }, /^maxRetries must/],
    [
      'a master key that is too short',
      { encryptionMasterKeyBase64: 'c2hvcnQ=' },
      /^encryptionMasterKeyBase64 must/,
    ],
    [
      'a master key that is not base64',
      { encryptionMasterKeyBase64: `${MASTER_KEY}!` },
      /^encryptionMasterKeyBase64/,
    ],
    [
      'additional master keys without one',
      { additionalEncryptionMasterKeysBase64: [MASTER_KEY] },
      /^additionalEncryptionMasterKeysBase64 needs encryptionMasterKeyBase64$/,
    ],
    [
      'an additional master key that is too short',
      { encryptionMasterKeyBase64: MASTER_KEY, additionalEncryptionMasterKeysBase64: [MASTER_KEY, 'AAAA'] },
      /^additionalEncryptionMasterKeysBase64\[1\] must/,
    ],
    [
      'a key beside it without a secret',
      { additionalKeys: [{ key: 'a' }] },
      /^additionalKeys\[0\].secret must/,
    ],
    ['a limit of nothing', { limits: { batchSize: 0 } }, /^limits.batchSize must/],
    ['an unknown limit', { limits: { batch: 1 } }, /^Unknown limit "batch"; known are eventDataBytes,/],
    ['a cluster', { cluster: 'eu' }, /^Unknown option "cluster"; known are appId, key,/],
    ['__proto__', JSON.parse('{"__proto__":1}'), /^Unknown option "__proto__"/],
    ['no fetch', { fetch: 'fetch' }, /^fetch must/],
  ];

  test.each(wrong)('%s is refused at once', (_, options, message) => {
    const given = Object.defineProperties({ ...credentials }, Object.getOwnPropertyDescriptors(options));
    expect(() => new Countersign(given)).toThrow(refusal('invalid_options', message));
    expect(() => new Countersign(given)).toThrow(ArgumentError);
    expect(() => new Countersign(given)).toThrow(CountersignError);
  });

  test('a secret is in no message and not to be seen in the object', () => {
    const secret = 'very-secret';
    expect(() => new Countersign({ ...credentials, encryptionMasterKeyBase64: secret })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(secret) }),
    );
    expect(JSON.stringify(new Countersign({ ...credentials, secret }))).toBe('{}');
    expect(Object.keys(new Countersign({ ...credentials, secret }))).toEqual([]);
  });

  const origins: [options: Partial<CountersignOptions>, origin: string][] = [
    [{}, 'http://127.0.0.1:6001'],
    [{ appId: 3 }, 'http://127.0.0.1:6001'],
    [{ host: undefined, port: undefined, useTLS: undefined, path: undefined }, 'http://127.0.0.1:6001'],
    [{ host: '127.1.2.3' }, 'http://127.1.2.3:6001'],
    [{ host: 'localhost', port: 80 }, 'http://localhost'],
    [{ host: 'LocalHost' }, 'http://localhost:6001'],
    [{ host: 'broker.localhost' }, 'http://broker.localhost:6001'],
    [{ host: '::1' }, 'http://[::1]:6001'],
    [{ host: '[::1]', useTLS: true }, 'https://[::1]'],
    [{ host: '2001:db8::1' }, 'https://[2001:db8::1]'],
    [{ host: 'example.com' }, 'https://example.com'],
    [{ host: 'example.com', port: 6001 }, 'https://example.com:6001'],
    [{ host: 'example.com', useTLS: false }, 'http://example.com:6001'],
    [{ host: '10.0.0.7' }, 'https://10.0.0.7'],
    [{ host: '127.0.0.1.example.com' }, 'https://127.0.0.1.example.com'],
    [{ host: 'localhost.example.com' }, 'https://localhost.example.com'],
    [{ host: '0.0.0.0' }, 'https://0.0.0.0'],
  ];

  test.each(origins)('with %j requests go to %s', async (options, origin) => {
    const urls: string[] = [];
    const fetch: typeof globalThis.fetch = async (url) => {
      urls.push(String(url));
      return Response.json({});
    };
    await new Countersign({ ...credentials, fetch, ...options }).channels();
    const [url = ''] = urls;
    expect(url.slice(0, url.indexOf('?'))).toBe(`${origin}/apps/3/channels`);
  });
});

describe('trigger', () => {
  test('sends what the official library sends, and an idempotency key', async () => {
    const broker = await startRecorder();
    const ours = connect(broker);
    const theirs = new Pusher({ ...credentials, host: '127.0.0.1', port: String(broker.port) });
    const params = { socket_id: '1.2', info: 'user_count' };
    const events: [channels: string | string[], data: unknown][] = [
      ['news', { a: 1 }],
      [['news', 'presence-a'], 'text as it is'],
      ['news', ''],
      ['news', null],
      ['news', 12],
      ['news', 'Zoë \u2028 🚀'],
    ];
    for (const [channels, data] of events) {
      await ours.trigger(channels, 'e', data, params);
      await theirs.trigger(channels, 'e', data, params);
    }
    await ours.sendToUser('u1', 'e', { a: 1 });
    await theirs.sendToUser('u1', 'e', { a: 1 });
    await ours.triggerBatch([
      { channel: 'a', name: 'e', data: { a: 1 }, socket_id: '1.2', info: 'user_count' },
    ]);
    await theirs.triggerBatch([
      { channel: 'a', name: 'e', data: { a: 1 }, socket_id: '1.2', info: 'user_count' },
    ]);

    const sent = broker.requests.map((request) => {
      const { path, valid } = read(request, app.secret);
      return {
        method: request.method,
        path,
        valid,
        type: request.headers['content-type'],
        body: JSON.parse(request.body, (name, value) => (name === 'idempotency_key' ? undefined : value)),
      };
    });
    expect(sent).toHaveLength(16);
    for (let index = 0; index < sent.length; index += 2) {
      expect(sent[index]).toEqual(sent[index + 1]);
      expect(sent[index]?.valid).toBe(true);
    }
    expect(broker.requests[0]?.headers['x-pusher-library']).toMatch(/^countersign-sdk-server \d/);
  });

  test('sends a text so that it arrives as this text', async () => {
    const broker = await startRecorder();
    const texts = [
      'hello',
      '',
      ' ',
      '12345678901234567890',
      '1e5',
      '-0',
      ' 7 ',
      'true',
      'null',
      '"quoted"',
      '{',
      '{a}',
    ];
    for (const text of texts) await connect(broker).trigger('a', 'e', text);
    const batch = texts.slice(0, 10).map((data) => ({ channel: 'a', name: 'e', data }));
    await connect(broker).triggerBatch(batch);
    const sent = bodies(broker) as { data: string; batch: { data: string }[] }[];
    const heard = (data: string): unknown => {
      try {
        return JSON.parse(data);
      } catch {
        return data;
      }
    };
    expect(sent.slice(0, -1).map(({ data }) => heard(data))).toEqual(texts);
    expect(sent.at(-1)!.batch.map(({ data }) => heard(data))).toEqual(texts.slice(0, 10));
  });

  test('sends a text that holds an object or a list as that', async () => {
    const broker = await startRecorder();
    for (const json of ['{"id":12345678901234567890}', ' [1, 2]'])
      await connect(broker).trigger('a', 'e', json);
    expect(bodies(broker).map((body) => (body as { data: string }).data)).toEqual([
      '{"id":12345678901234567890}',
      ' [1, 2]',
    ]);
  });

  test('returns the response of the broker', async () => {
    const channels = { 'presence-a': { user_count: 42 } };
    const broker = await startRecorder({ body: JSON.stringify({ channels }) });
    expect(await connect(broker).trigger('presence-a', 'e', {}, { info: ['user_count'] })).toEqual({
      channels,
    });
  });

  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  const wrong: [
    what: string,
    args: [channels: unknown, event: unknown, data: unknown, params?: unknown],
    code: string,
  ][] = [
    ['undefined data', ['a', 'e', undefined], 'invalid_data'],
    ['a function as data', ['a', 'e', () => {}], 'invalid_data'],
    ['data with a cycle', ['a', 'e', cycle], 'invalid_data'],
    ['data with a bigint', ['a', 'e', { n: 1n }], 'invalid_data'],
    ['data of 10,241 bytes', ['a', 'e', 'é'.repeat(5_120).concat('x')], 'too_large'],
    ['no channel', [[], 'e', ''], 'invalid_channel'],
    ['101 channels', [Array.from({ length: 101 }, (_, n) => `c${n}`), 'e', ''], 'invalid_channel'],
    ['a missing channel', [undefined, 'e', ''], 'invalid_channel'],
    ['the channel of a user', ['#server-to-user-7', 'e', ''], 'invalid_channel'],
    ['an empty event name', ['a', '', ''], 'invalid_event'],
    ['an event name of 201 characters', ['a', 'e'.repeat(201), ''], 'invalid_event'],
    ['an event name that is not text', ['a', 7, ''], 'invalid_event'],
    ['a reserved event name', ['a', 'pusher:ping', ''], 'invalid_event'],
    ['an internal event name', ['a', 'pusher_internal:member_added', ''], 'invalid_event'],
    ['a misspelled parameter', ['a', 'e', '', { socketID: '1.2' }], 'invalid_event'],
    ['an encrypted channel without a master key', ['private-encrypted-a', 'e', ''], 'no_master_key'],
  ];

  test.each(wrong)('%s is refused and nothing is sent', async (_, args, code) => {
    const broker = await startRecorder();
    const client = connect(broker);
    await expect(client.trigger(...(args as Parameters<typeof client.trigger>))).rejects.toThrow(
      refusal(code),
    );
    await client.channels();
    expect(broker.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  test('goes to the edge of each limit', async () => {
    const broker = await startRecorder();
    const channels = Array.from({ length: 100 }, (_, n) => `c${n}`);
    await connect(broker).trigger(channels, 'e'.repeat(200), 'é'.repeat(5_120));
    await connect(broker, { limits: { eventDataBytes: 10_241 } }).trigger(
      'a',
      'App\\Events\\Ünï',
      'x'.repeat(10_241),
    );
    expect(broker.requests).toHaveLength(2);
  });
});

describe('encrypted channels', () => {
  const encryption = { encryptionMasterKeyBase64: MASTER_KEY };

  test('are not mixed with others in one event', async () => {
    const client = connect(await startRecorder(), encryption);
    const trigger = client.trigger(['a', 'private-encrypted-b'], 'e', '');
    await expect(trigger).rejects.toThrow(refusal('invalid_channel', /that channel only/));
  });

  test('are encrypted in a batch, each for itself, and the caller keeps their objects', async () => {
    const broker = await startRecorder();
    const events = Object.freeze([
      Object.freeze({ channel: 'private-encrypted-a', name: 'e', data: { a: 1 } }),
      Object.freeze({ channel: 'b', name: 'e', data: { a: 1 } }),
    ]);
    await connect(broker, encryption).triggerBatch(events);
    const [sent] = bodies(broker) as [{ batch: { data: string }[] }];
    expect(Object.keys(JSON.parse(sent.batch[0]!.data))).toEqual(['nonce', 'ciphertext']);
    expect(sent.batch[1]!.data).toBe('{"a":1}');
  });

  test('take 7,619 bytes of plaintext, which makes 10,240 of data', async () => {
    const broker = await startRecorder();
    const client = connect(broker, encryption);
    const plaintext = 'x'.repeat(7_619 - 2);
    await client.trigger('private-encrypted-a', 'e', plaintext);
    const [sent] = bodies(broker) as [{ data: string }];
    expect(sent.data).toHaveLength(10_240);
    await expect(client.trigger('private-encrypted-a', 'e', `${plaintext}x`)).rejects.toThrow(
      refusal('too_large'),
    );
  });

  test('are sealed with one master key, and clients get the keys of all', async () => {
    const next = Buffer.alloc(32, 7).toString('base64');
    const before = new Countersign({ ...credentials, encryptionMasterKeyBase64: MASTER_KEY });
    const after = new Countersign({ ...credentials, encryptionMasterKeyBase64: next });
    const between = new Countersign({
      ...credentials,
      encryptionMasterKeyBase64: next,
      additionalEncryptionMasterKeysBase64: [MASTER_KEY],
    });
    const [old, fresh, both] = [before, after, between].map((client) =>
      client.authorizeChannel('1.1', 'private-encrypted-a'),
    );
    expect(both).toEqual({ ...fresh, additional_shared_secrets: [old?.shared_secret] });
    expect(between.authorizeChannel('1.1', 'private-a')).toEqual(after.authorizeChannel('1.1', 'private-a'));
  });

  test('are not authorized without a master key', () => {
    const client = new Countersign(credentials);
    expect(() => client.authorizeChannel('1.1', 'private-encrypted-a')).toThrow(refusal('no_master_key'));
  });
});

describe('triggerBatch', () => {
  const event = { channel: 'a', name: 'e', data: '' };
  const wrong: [what: string, batch: unknown, code: string][] = [
    ['11 events', Array.from({ length: 11 }, () => event), 'invalid_event'],
    ['no array', event, 'invalid_event'],
    ['an event that is none', [null], 'invalid_event'],
    ['an event without data', [event, { channel: 'a', name: 'e' }], 'invalid_data'],
    ['an event for several channels', [{ ...event, channel: ['a'] }], 'invalid_channel'],
    ['an event with a field too many', [{ ...event, channels: ['a'] }], 'invalid_event'],
  ];

  test.each(wrong)('%s is refused and nothing is sent', async (_, batch, code) => {
    const broker = await startRecorder();
    const client = connect(broker);
    const sending = client.triggerBatch(batch as Parameters<typeof client.triggerBatch>[0]);
    await expect(sending).rejects.toThrow(refusal(code));
    expect(broker.requests).toEqual([]);
  });

  test('sends ten events, and none', async () => {
    const broker = await startRecorder({ body: '{"batch":[{},{"user_count":3}]}' });
    const answer = await connect(broker).triggerBatch(Array.from({ length: 10 }, () => event));
    await connect(broker).triggerBatch([]);
    expect(answer.batch?.[1]?.user_count).toBe(3);
    expect(bodies(broker)[1]).toEqual({ batch: [] });
  });
});

describe('users', () => {
  test.each(['', 'a/b', 'a:b', '..', 'é', 'a'.repeat(129)])('id %j is refused', async (id) => {
    const broker = await startRecorder();
    const client = connect(broker);
    if (id !== '..') {
      await expect(client.sendToUser(id, 'e', '')).rejects.toThrow(refusal('invalid_user'));
      expect(() => client.authenticateUser('1.1', { id })).toThrow(refusal('invalid_user'));
    }
    // A URL cannot hold ".." as a segment, so this one can be signed in but not addressed in a path.
    const code = id === '..' ? 'invalid_request' : 'invalid_user';
    await expect(client.terminateUserConnections(id)).rejects.toThrow(refusal(code));
    expect(broker.requests).toEqual([]);
  });

  test('paths contain ids without encoding, because a proxy could decode them', async () => {
    const broker = await startRecorder();
    await connect(broker).terminateUserConnections('a@b;c=d,e');
    expect(read(broker.requests[0]!, app.secret)).toMatchObject({
      path: '/apps/3/users/a@b;c=d,e/terminate_connections',
      valid: true,
    });
  });

  const wrong: [what: string, user: unknown, code: string][] = [
    ['no id', {}, 'invalid_user'],
    ['a numeric id', { id: 7 }, 'invalid_user'],
    ['user_info that is text', { id: '7', user_info: 'Ann' }, 'invalid_user'],
    ['user_info that is a list', { id: '7', user_info: [] }, 'invalid_user'],
    ['a watchlist that is text', { id: '7', watchlist: 'amy' }, 'invalid_user'],
    ['a watchlist with a number', { id: '7', watchlist: [7] }, 'invalid_user'],
    ['a watchlist of 101', { id: '7', watchlist: Array.from({ length: 101 }, String) }, 'invalid_user'],
    ['a kilobyte of info', { id: '7', user_info: { a: 'x'.repeat(1024) } }, 'too_large'],
    ['a list', ['7'], 'invalid_user'],
    ['nothing', undefined, 'invalid_user'],
    ['null', null, 'invalid_user'],
  ];

  test.each(wrong)('%s is not signed in', (_, user, code) => {
    const client = new Countersign(credentials);
    const signIn = () =>
      client.authenticateUser('1.1', user as Parameters<typeof client.authenticateUser>[1]);
    expect(signIn).toThrow(refusal(code));
  });

  test('a watchlist does not count as the description of a user', () => {
    const watchlist = Array.from({ length: 100 }, (_, n) => `user-${n}`.padEnd(128, 'x'));
    expect(new Countersign(credentials).authenticateUser('1.1', { id: '7', watchlist })).toHaveProperty(
      'auth',
    );
  });
});

describe('authorizeChannel', () => {
  const client = new Countersign(credentials);

  test.each(['news', 'private', 'presence', 'cache-private-x', 'Private-x', 'foo-private-x'])(
    'the public channel %s is refused',
    (channel) => {
      expect(() => client.authorizeChannel('1.1', channel)).toThrow(refusal('invalid_channel', /is public/));
    },
  );

  const wrong: [what: string, data: unknown, code: string][] = [
    ['no user_id', {}, 'invalid_user'],
    ['an empty user_id', { user_id: '' }, 'invalid_user'],
    ['a user_id of 129 characters', { user_id: 'x'.repeat(129) }, 'invalid_user'],
    ['a user_id with a fraction', { user_id: 1.5 }, 'invalid_user'],
    ['a user_id beyond 2^53', { user_id: 2 ** 53 }, 'invalid_user'],
    ['a user_id that is no number', { user_id: Number.NaN }, 'invalid_user'],
    ['a user_id that is true', { user_id: true }, 'invalid_user'],
    ['a user_id in a list', { user_id: ['7'] }, 'invalid_user'],
    ['user_info that is a list', { user_id: '7', user_info: [] }, 'invalid_user'],
    ['user_info that is text', { user_id: '7', user_info: 'Ann' }, 'invalid_user'],
    ['a member of more than a kilobyte', { user_id: '7', user_info: { a: 'x'.repeat(1024) } }, 'too_large'],
    ['a member that is text', '{"user_id":"7"}', 'invalid_user'],
    ['a member that is null', null, 'invalid_user'],
    ['a member that turns into text', { user_id: '7', toJSON: () => 'x' }, 'invalid_user'],
    ['a member that hides its id', { user_id: '7', toJSON: () => ({ user_info: {} }) }, 'invalid_user'],
  ];

  test.each(wrong)('%s is refused', (_, data, code) => {
    expect(() => client.authorizeChannel('1.1', 'presence-a', data as { user_id: string })).toThrow(
      refusal(code),
    );
  });

  test('a private channel takes an object of any kind, and nothing else', () => {
    expect(client.authorizeChannel('1.1', 'private-a', { a: [1] }).channel_data).toBe('{"a":[1]}');
    expect(() => client.authorizeChannel('1.1', 'private-a', [] as never)).toThrow(refusal('invalid_user'));
  });

  test('a member may omit unknown fields', () => {
    const grant = client.authorizeChannel('1.1', 'presence-a', { user_id: 7, user_info: undefined });
    expect(grant.channel_data).toBe('{"user_id":7}');
  });
});
