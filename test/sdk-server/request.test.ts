import {
  Countersign,
  type CountersignOptions,
  NetworkError,
  RequestError,
  TimeoutError,
} from '@countersign/sdk-server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { closedPort, listen, type Recorder, read, startRecorder } from '../helpers/brokers/recorder.ts';
import { app } from '../packages/vectors.ts';

const credentials = { appId: app.id, key: app.key, secret: app.secret };

function connect({ port }: Pick<Recorder, 'port'>, options: Partial<CountersignOptions> = {}): Countersign {
  return new Countersign({ ...credentials, port, ...options });
}

/** The error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<RequestError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RequestError);
  return error as RequestError;
}

describe('a request', () => {
  test('is signed from /apps on, since a proxy may take the prefix away', async () => {
    const broker = await startRecorder();
    await connect(broker, { path: '/realtime/v1' }).trigger('a', 'e', {});
    const [{ target, ...request } = broker.requests[0]!] = broker.requests;
    expect(target).toMatch(/^\/realtime\/v1\/apps\/3\/events\?/);
    expect(read({ ...request, target: target.slice('/realtime/v1'.length) }, app.secret).valid).toBe(true);
  });

  test('has the name of the channel as it is, since a proxy could decode what is encoded', async () => {
    const broker = await startRecorder();
    await connect(broker).channel('a@b=c,d;e.f', { info: ['subscription_count', 'cache'] });
    expect(broker.requests[0]!.target).toMatch(/^\/apps\/3\/channels\/a@b=c,d;e\.f\?/);
    expect(read(broker.requests[0]!, app.secret).valid).toBe(true);
  });

  test('has no parameters that are undefined', async () => {
    const broker = await startRecorder({ body: '{"users":[],"deliveries":[]}' });
    const client = connect(broker);
    await client.get({ path: '/channels', params: { a: undefined, b: 1 } });
    await client.users({ cursor: undefined, limit: undefined });
    await client.channels({ filterByPrefix: undefined, info: undefined });
    await client.webhooks.deliveries('hook', { state: undefined });
    const names = broker.requests.map((request) => [...read(request, app.secret).params.keys()]);
    const signed = ['auth_key', 'auth_timestamp', 'auth_version', 'auth_signature'];
    expect(names).toEqual([['b', ...signed], signed, signed, signed]);
  });

  test('is sent by the fetch of the moment, which is called as a function', async () => {
    const broker = await startRecorder();
    const before = connect(broker);
    const { fetch } = globalThis;
    const callers: unknown[] = [];
    globalThis.fetch = function (this: unknown, ...request) {
      callers.push(this);
      return fetch(...request);
    };
    onTestFinished(() => {
      globalThis.fetch = fetch;
    });
    await before.channels();
    await connect(broker, { fetch: globalThis.fetch }).channels();
    expect(callers).toEqual([globalThis, undefined]);
    expect(broker.requests).toHaveLength(2);
  });

  test('to a broker that does not speak TLS says which option tells so', async () => {
    const broker = await startRecorder();
    const error = await failure(connect(broker, { useTLS: true, maxRetries: 0 }).channels());
    expect(error).toMatchObject({ code: 'network', message: expect.stringMatching(/set useTLS to false$/) });
    const refused = await failure(
      connect({ port: await closedPort() }, { useTLS: true, maxRetries: 0 }).channels(),
    );
    expect(refused.message).not.toContain('useTLS');
  });

  test.each(['a+b', 'a b', '100%', 'a%20b', 'ü🚀', 'a=b', "it's", '#', '?'])(
    'carries the value %j',
    async (value) => {
      const broker = await startRecorder();
      await connect(broker).get({ path: '/channels', params: { value, 'na me': value, Upper: 1 } });
      const { params, valid } = read(broker.requests[0]!, app.secret);
      expect([params.get('value'), params.get('na me'), params.get('Upper')]).toEqual([value, value, '1']);
      expect(valid).toBe(true);
    },
  );

  test.each(['a&b', 'a\nb', 'a\rb', 'a\0b', '\ud800'])('with the value %j is refused', async (value) => {
    const broker = await startRecorder();
    const refusal = expect.objectContaining({ code: 'invalid_request' });
    await expect(connect(broker).get({ path: '/channels', params: { value } })).rejects.toThrow(refusal);
    await expect(connect(broker).channels({ filterByPrefix: value })).rejects.toThrow(refusal);
    expect(broker.requests).toEqual([]);
  });

  test.each(['auth_key', 'auth_signature', 'AUTH_VERSION', 'body_md5', 'a=b', 'a&b'])(
    'with a parameter named %j is refused',
    async (name) => {
      const get = connect({ port: 1 }).get({ path: '/channels', params: { [name]: 'x' } });
      await expect(get).rejects.toThrow(expect.objectContaining({ code: 'invalid_request' }));
    },
  );

  test.each(['channels', '/../4/channels', '/channels/%2e%2e', '/a?b', '/a#b', '/a b', '/é', '\\a', '/a\n'])(
    'with the path %j is refused',
    async (path) => {
      const get = connect({ port: 1 }).get({ path });
      await expect(get).rejects.toThrow(expect.objectContaining({ code: 'invalid_request' }));
    },
  );

  test.each(['.', '..'])('about the channel %j is refused, because no URL can name it', async (name) => {
    const refusal = expect.objectContaining({ code: 'invalid_request' });
    await expect(connect({ port: 1 }).channel(name)).rejects.toThrow(refusal);
  });

  test('about the members of another channel is refused', async () => {
    const refusal = expect.objectContaining({ code: 'invalid_channel' });
    await expect(connect({ port: 1 }).presenceMembers('private-a')).rejects.toThrow(refusal);
  });

  test('returns typed JSON', async () => {
    const body = {
      channels: { 'presence-a': { user_count: 2 } },
      occupied: true,
      user_count: 2,
      users: [{ id: '7' }],
    };
    const client = connect(await startRecorder({ body: JSON.stringify(body) }));
    expect((await client.channels()).channels['presence-a']?.user_count).toBe(2);
    expect((await client.channel('presence-a')).occupied).toBe(true);
    expect((await client.presenceMembers('presence-a')).users[0]?.id).toBe('7');
    expect(await client.get({ path: '/channels' })).toEqual(body);
  });
});

describe('a refused request', () => {
  test('tells status, body and its URL without the signature', async () => {
    const body = '{"error":"Unknown auth_key","code":401}';
    const broker = await startRecorder({ status: 401, body });
    const error = await failure(connect(broker).trigger('a', 'e', {}));
    expect(error).toMatchObject({ name: 'RequestError', code: 'request_refused', status: 401, body });
    expect(error.message).toBe(`POST /apps/3/events was answered with 401: ${body}`);
    expect(error.url).toMatch(
      new RegExp(`^http://127.0.0.1:${broker.port}/apps/3/events\\?auth_key=${app.key}&`),
    );
    const signature = read(broker.requests[0]!, app.secret).params.get('auth_signature')!;
    expect(JSON.stringify(error) + error.stack).not.toContain(signature);
  });

  test('is not repeated where nothing says that it helps', async () => {
    for (const status of [400, 401, 403, 404, 413, 429, 500]) {
      const broker = await startRecorder({ status });
      expect(await failure(connect(broker).channels())).toMatchObject({ status });
      expect(broker.requests).toHaveLength(1);
    }
  });

  test('is not repeated elsewhere: redirects are not followed', async () => {
    const elsewhere = await startRecorder();
    const location = `http://127.0.0.1:${elsewhere.port}/`;
    const broker = await startRecorder({ status: 307, headers: { location } });
    expect(await failure(connect(broker).trigger('a', 'e', {}))).toMatchObject({ status: 307 });
    expect(await failure(connect(broker).channels())).toMatchObject({ status: 307 });
    expect(elsewhere.requests).toEqual([]);
  });

  test('an answer that is not JSON is an error', async () => {
    const broker = await startRecorder({ body: '<html>' });
    const error = await failure(connect(broker).trigger('a', 'e', {}));
    expect(error).toMatchObject({ code: 'invalid_answer', status: 200, body: '<html>' });
    expect(error.cause).toBeInstanceOf(SyntaxError);
  });
});

describe('a question is asked again', () => {
  test.each([502, 503, 504])('after %i, signed anew', async (status) => {
    const broker = await startRecorder({ status }, { status }, { body: '{"channels":{}}' });
    let now = 1_700_000_000_000;
    const clock = () => (now += 1000);
    expect(await connect(broker, { now: clock }).channels()).toEqual({ channels: {} });
    const timestamps = broker.requests.map((request) =>
      read(request, app.secret).params.get('auth_timestamp'),
    );
    expect(timestamps).toEqual(['1700000001', '1700000002', '1700000003']);
  });

  test('as often as maxRetries allows', async () => {
    const broker = await startRecorder({ status: 503 });
    expect(await failure(connect(broker, { maxRetries: 1 }).channels())).toMatchObject({ status: 503 });
    expect(broker.requests).toHaveLength(2);
    await failure(connect(broker, { maxRetries: 0 }).channels());
    expect(broker.requests).toHaveLength(3);
  });

  test('after the connection broke', async () => {
    let requests = 0;
    const port = await listen((req, res) => {
      requests++;
      if (requests === 1) req.socket.destroy();
      else res.end('{"channels":{}}');
    });
    expect(await connect({ port }).channels()).toEqual({ channels: {} });
    expect(requests).toBe(2);
  });
});

describe('a publish is sent again', () => {
  test('after the connection broke, under the same key', async () => {
    const keys: unknown[] = [];
    const port = await listen(async (req) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk);
      keys.push(JSON.parse(Buffer.concat(chunks).toString()).idempotency_key);
      req.socket.destroy();
    });
    const error = await failure(connect({ port }).trigger('a', 'e', {}));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ name: 'NetworkError', code: 'network', status: undefined });
    expect(error.cause).toBeInstanceOf(Error);
    expect(keys).toEqual(Array(3).fill(keys[0]));
    expect(keys[0]).toEqual(expect.any(String));
  });

  test.each([502, 503, 504])('after a bare %i, which may have come from a proxy', async (status) => {
    const broker = await startRecorder({ status }, {});
    expect(await connect(broker).trigger('a', 'e', {})).toEqual({});
    expect(broker.requests).toHaveLength(2);
  });

  test('never after a bare 500', async () => {
    const broker = await startRecorder({ status: 500 });
    await failure(connect(broker).trigger('a', 'e', {}));
    expect(broker.requests).toHaveLength(1);
  });

  test('not if it has no key and may have been carried out', async () => {
    const broker = await startRecorder({ status: 503 });
    await failure(connect(broker).terminateUserConnections('ann'));
    expect(broker.requests).toHaveLength(1);
  });

  test.each([429, 503])('after %i with Retry-After', async (status) => {
    const broker = await startRecorder({ status, headers: { 'retry-after': '0' } }, {});
    expect(await connect(broker).trigger('a', 'e', {})).toEqual({});
    expect(broker.requests).toHaveLength(2);
  });

  test('not if the broker asks for more patience than the timeout allows', async () => {
    for (const later of ['3600', new Date(Date.now() + 3_600_000).toUTCString()]) {
      const broker = await startRecorder({ status: 429, headers: { 'retry-after': later } });
      const error = await failure(connect(broker).trigger('a', 'e', {}));
      expect(error).toMatchObject({ status: 429 });
      expect(error.retryAfter).toBeGreaterThan(3_590_000);
      expect(error.retryAfter).toBeLessThanOrEqual(3_600_000);
      expect(broker.requests).toHaveLength(1);
    }
  });

  test('after the connection was refused, because nothing was sent', async () => {
    let attempts = 0;
    const port = await closedPort();
    const fetch: typeof globalThis.fetch = (...request) => {
      attempts++;
      return globalThis.fetch(...request);
    };
    const error = await failure(connect({ port }, { fetch, maxRetries: 2 }).trigger('a', 'e', {}));
    expect(error).toBeInstanceOf(NetworkError);
    expect(attempts).toBe(3);
  });

  test('also where the name has several addresses', async () => {
    let attempts = 0;
    const port = await closedPort();
    const fetch: typeof globalThis.fetch = (...request) => {
      attempts++;
      return globalThis.fetch(...request);
    };
    await failure(connect({ port }, { host: 'localhost', fetch, maxRetries: 1 }).trigger('a', 'e', {}));
    expect(attempts).toBe(2);
  });
});

describe('the timeout', () => {
  test('ends a call that is not answered, and no other attempt is made', async () => {
    const broker = await startRecorder(null);
    const error = await failure(connect(broker, { timeout: 400 }).channels());
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ name: 'TimeoutError', code: 'timeout', status: undefined });
    expect(error.message).toBe('GET /apps/3/channels was not answered within 400 ms');
    expect(broker.requests).toHaveLength(1);
  });

  test('ends a call whose answer does not end', async () => {
    const port = await listen((_, res) => {
      res.writeHead(200).write('{');
    });
    expect(await failure(connect({ port }, { timeout: 50 }).channels())).toBeInstanceOf(TimeoutError);
  });
});
