import { once } from 'node:events';
import { MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect, open } from '../helpers/clients/client.ts';
import { frameOf, opcodes, RawClient, upgradeRequest } from '../helpers/clients/raw.ts';
import { recordLog } from '../helpers/log.ts';

/** What a path and its headers are answered with, up to the close if there is one. */
async function knock(
  settings: ServerSettings,
  path = `/app/${APP.key}?protocol=7`,
  headers: Record<string, string> = {},
) {
  const client = open(await startServer(settings), path, { headers });
  const first = await client.next();
  if (typeof first !== 'string') throw new Error('Closed without a frame');
  const { event, data } = JSON.parse(first);
  return event === 'pusher:error' ? { ...data, close: await client.next() } : event;
}

const established = 'pusher:connection_established';
const refused = (code: number, message: string, errorCode: string) => ({
  code,
  message,
  error_code: errorCode,
  close: { code, reason: message },
});

describe('an accepted connection', () => {
  test('gets its socket id and the activity timeout first', async () => {
    const client = open(await startServer());
    expect(await client.next()).toMatch(
      /^\{"event":"pusher:connection_established","data":"\{\\"socket_id\\":\\"[1-9][0-9]*\.[1-9][0-9]*\\",\\"activity_timeout\\":120\}"\}$/,
    );
    expect(await client.nothing()).toEqual([]);
  });

  test('gets the activity timeout of its app', async () => {
    const client = open(await startServer({ app: { activityTimeoutSeconds: 17 } }));
    expect(await client.next()).toMatch(/\\"activity_timeout\\":17\}"\}$/);
  });

  test('has a socket id of its own, of at most 31 characters', async () => {
    const broker = await startServer();
    const clients = await Promise.all(Array.from({ length: 500 }, () => connect(broker)));
    const ids = new Set(clients.map((client) => client.socketId));
    expect(ids.size).toBe(500);
    expect(Math.max(...[...ids].map((id) => id.length))).toBeLessThanOrEqual(31);
  });

  test('may send with the handshake, and is answered after it is established', async () => {
    const client = new RawClient(await startServer());
    client.send(upgradeRequest(), frameOf({ payload: '{"event":"pusher:ping"}' }));
    expect(await client.next()).toMatchObject({ payload: expect.stringContaining(established) });
    expect(await client.next()).toEqual({
      opcode: opcodes.text,
      payload: '{"event":"pusher:pong","data":"{}"}',
    });
  });

  test('is not compressed, though the client offers it', async () => {
    const client = open(await startServer(), undefined, { perMessageDeflate: true });
    await client.established();
    expect(client.socket.extensions).toBe('');
  });

  test.each([
    [['pusher-channels-protocol-7'], 'pusher-channels-protocol-7'],
    [['first', 'second'], 'first'],
    [[], ''],
  ])('of a client that offers the sub-protocols %j has %j', async (offered, selected) => {
    const client = open(await startServer(), undefined, {
      headers: offered.length > 0 ? { 'Sec-WebSocket-Protocol': offered.join(', ') } : {},
    });
    const [response] = await once(client.socket, 'upgrade');
    expect(response.headers['sec-websocket-protocol'] ?? '').toBe(selected);
  });
});

describe('the protocol version', () => {
  test.each(['5', '6', '7'])('%s is accepted', async (version) => {
    expect(await knock({}, `/app/${APP.key}?protocol=${version}`)).toBe(established);
  });

  test.each(['0', '1', '4', '8', '07', '7.0', '-7', '7x', 'seven', '%207', '99999999999999999999'])(
    '%s is refused with 4007',
    async (version) => {
      expect(await knock({}, `/app/${APP.key}?protocol=${version}`)).toEqual(
        refused(4007, 'Unsupported protocol version: expected 5, 6 or 7', 'unsupported_protocol'),
      );
    },
  );

  test.each(['', '?', '?client=js&version=8.6.0', '?protocol', '?protocol='])(
    'that is missing, as in %j, is refused with 4008',
    async (query) => {
      expect(await knock({}, `/app/${APP.key}${query}`)).toEqual(
        refused(4008, 'No protocol version: expected protocol=7 in the query', 'protocol_missing'),
      );
    },
  );
});

describe('the version of the client library', () => {
  test.each(['', '8.6.0', '2.2.5-SNAPSHOT', 'é', 'x'.repeat(64)])('may be %j', async (version) => {
    const path = `/app/${APP.key}?protocol=7&version=${encodeURIComponent(version)}`;
    expect(await knock({}, path)).toBe(established);
  });

  test.each(['x'.repeat(65), 'a\u0000', 'a\nb', '\u007f', '\u0085'])(
    '%j is refused with 4006',
    async (version) => {
      const path = `/app/${APP.key}?protocol=7&version=${encodeURIComponent(version)}`;
      expect(await knock({}, path)).toEqual(
        refused(4006, 'Invalid version: expected at most 64 printable characters', 'invalid_version'),
      );
    },
  );

  test('and all other parameters may be missing, or be anything', async () => {
    const path = `/app/${APP.key}?flash=true&client=${'c'.repeat(5000)}&protocol=7&__proto__=1&%zz=%zz&&=`;
    expect(await knock({}, path)).toBe(established);
  });
});

describe('the path', () => {
  test.each(['/app/%6bey-1', '/app/k%65y%2D1'])('%s holds the key, percent-encoded', async (path) => {
    expect(await knock({}, `${path}?protocol=7`)).toBe(established);
  });

  test('may name a key with every character that keys may have', async () => {
    const key = 'aZ09_-=@,.;';
    const settings = { app: { keys: [{ key, secret: APP.secret }] } };
    expect(await knock(settings, `/app/${key}?protocol=7`)).toBe(established);
    expect(await knock(settings, `/app/${encodeURIComponent(key)}?protocol=7`)).toBe(established);
  });

  test.each([
    '/',
    '/app',
    '/app/',
    '/app/key-1/',
    '/app/key-1/more',
    '/App/key-1',
    '//app/key-1',
    '/x/app/key-1',
  ])('%s is refused with 4005', async (path) => {
    expect(await knock({}, `${path}?protocol=7`)).toEqual(
      refused(4005, 'Path not found: expected /app/KEY', 'path_not_found'),
    );
  });

  test.each(['/app/%', '/app/%zz', '/app/%ff'])('%s is refused with 4005', async (path) => {
    expect(await knock({}, `${path}?protocol=7`)).toEqual(
      refused(4005, 'Path not found: the key is not properly percent-encoded', 'path_not_found'),
    );
  });

  test('has the pathPrefix in front', async () => {
    const settings = { config: { pathPrefix: '/real/time' } };
    expect(await knock(settings, `/real/time/app/${APP.key}?protocol=7`)).toBe(established);
    expect(await knock(settings, `/app/${APP.key}?protocol=7`)).toEqual(
      refused(4005, 'Path not found: expected /real/time/app/KEY', 'path_not_found'),
    );
  });
});

describe('the app', () => {
  test.each(['other', 'KEY-1', 'key-1%00', 'key-1%2F', 'key-1%20', '__proto__', 'constructor', 'app-1'])(
    'of the key %s is not known: 4001',
    async (key) => {
      expect(await knock({}, `/app/${key}?protocol=7`)).toEqual(
        refused(4001, `No app has the key '${decodeURIComponent(key)}'`, 'app_not_found'),
      );
    },
  );

  test('that is unknown is named in full in the error, and as far as it fits in the close reason', async () => {
    const shown = '💥'.repeat(32);
    expect(await knock({}, `/app/${encodeURIComponent('💥'.repeat(40))}?protocol=7`)).toEqual({
      code: 4001,
      message: `No app has the key '${shown}'`,
      error_code: 'app_not_found',
      close: { code: 4001, reason: `No app has the key '${'💥'.repeat(25)}` },
    });
  });

  test('may be found by each of its keys', async () => {
    const settings = { app: { keys: ['old', 'new'].map((key) => ({ key, secret: APP.secret })) } };
    expect(await knock(settings, '/app/old?protocol=7')).toBe(established);
    expect(await knock(settings, '/app/new?protocol=7')).toBe(established);
  });

  test('that is disabled is refused with 4003', async () => {
    expect(await knock({ app: { enabled: false } })).toEqual(
      refused(4003, 'The app is disabled', 'app_disabled'),
    );
  });
});

describe('an app that requires TLS', () => {
  const answerTo = (trustProxy: unknown, proto?: string) =>
    knock(
      { app: { requireTLS: true }, config: { trustProxy } },
      undefined,
      proto === undefined ? {} : { 'X-Forwarded-Proto': proto, 'X-Forwarded-For': '203.0.113.7' },
    );
  const refusal = refused(4000, 'The app accepts TLS connections only', 'tls_required');

  test('refuses others with 4000', async () => {
    expect(await answerTo(false)).toEqual(refusal);
  });

  test.each([true, 1, ['127.0.0.1'], ['loopback']])(
    'believes a proxy where trustProxy is %j',
    async (trustProxy) => {
      expect(await answerTo(trustProxy, 'https')).toBe(established);
      expect(await answerTo(trustProxy, 'https, http')).toBe(established);
      expect(await answerTo(trustProxy, 'http')).toEqual(refusal);
      expect(await answerTo(trustProxy)).toEqual(refusal);
    },
  );

  test.each([false, ['10.0.0.0/8']])('ignores the headers if trustProxy is %j', async (trustProxy) => {
    expect(await answerTo(trustProxy, 'https')).toEqual(refusal);
  });
});

describe('the origin', () => {
  const from = (origin?: string) =>
    knock(
      { app: { allowedOrigins: ['https://example.com', 'https://*.example.org'] } },
      undefined,
      origin === undefined ? {} : { Origin: origin },
    );

  test.each(['https://example.com', 'HTTPS://Example.com', 'https://a.b.example.org'])(
    '%s is among those that are allowed',
    async (origin) => {
      expect(await from(origin)).toBe(established);
    },
  );

  test.each([
    'http://example.com',
    'https://example.com:444',
    'https://example.com.evil.net',
    'https://example.org',
    'https://evil.net/.example.org',
    'null',
  ])('%s is refused with 4009', async (origin) => {
    expect(await from(origin)).toEqual(
      refused(4009, 'The origin is not among the allowedOrigins of the app', 'origin_not_allowed'),
    );
  });

  test('is not asked of what is not a browser', async () => {
    expect(await from()).toBe(established);
  });
});

describe('the quota of connections', () => {
  const full =
    '{"event":"pusher:error","data":{"code":4004,"message":"The app has its limit of 1 connections","error_code":"too_many_connections"}}';

  test('refuses one more with 4004, until one is closed', async () => {
    const broker = await startServer({ limits: { connections: 1 } });
    const first = await connect(broker);
    const second = open(broker);
    expect(await second.next()).toBe(full);
    expect(await second.next()).toEqual({ code: 4004, reason: 'The app has its limit of 1 connections' });

    first.socket.close();
    await first.closed();
    await connect(broker);
  });

  test.each(['memory', 'delayed'])('is released by a handshake that is given up (%s)', async (kind) => {
    const memory = new MemoryAdapter();
    const adapter = kind === 'memory' ? memory : new DelayedAdapter(memory);
    const broker = await startServer({ limits: { connections: 1 }, parts: { adapter } });
    for (let tries = 0; tries < 20; tries += 1) {
      const client = new RawClient(broker);
      client.send(upgradeRequest());
      await once(client.socket, 'connect');
      client.socket.resetAndDestroy();
      await client.next();
    }
    await expect.poll(() => open(broker).next()).toContain(established);
  });

  test('is released by a handshake that is not one of WebSocket', async () => {
    const broker = await startServer({ limits: { connections: 1 } });
    const client = new RawClient(broker);
    client.send(upgradeRequest().replace('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 1'));
    await client.closed();
    await connect(broker);
  });

  test('is not used up by refused clients', async () => {
    const broker = await startServer({ limits: { connections: 1 } });
    await open(broker, `/app/${APP.key}?protocol=3`).closed();
    await open(broker, `/app/other?protocol=7`).closed();
    await connect(broker);
  });
});

describe('of several faults the client gets the first:', () => {
  const path = '/app/other?protocol=3&version=%00';
  const app = { allowedOrigins: ['https://example.com'], requireTLS: true, enabled: false };
  const limits = { connections: 1 };
  const origin = { Origin: 'https://evil.net' };

  test.each<[code: number, what: string, path: string, app: Readonly<Record<string, unknown>>]>([
    [4005, 'the path', '/apps/other?version=%00', app],
    [4008, 'no protocol', '/app/other?version=%00', app],
    [4007, 'its version', path, app],
    [4006, 'the version of the library', '/app/other?protocol=7&version=%00', app],
    [4001, 'the key', '/app/other?protocol=7', app],
    [4003, 'a disabled app', `/app/${APP.key}?protocol=7`, app],
    [4000, 'TLS', `/app/${APP.key}?protocol=7`, { ...app, enabled: true }],
    [4009, 'the origin', `/app/${APP.key}?protocol=7`, { ...app, enabled: true, requireTLS: false }],
  ])('%i, %s', async (code, _what, target, settings) => {
    expect(await knock({ app: settings, limits }, target, origin)).toMatchObject({ code });
  });

  test('4009, the origin, also where the quota is used up', async () => {
    const broker = await startServer({
      app: { allowedOrigins: ['https://example.com'], limits: { connections: 1 } },
    });
    await connect(broker);
    const client = open(broker, undefined, { headers: origin });
    expect(await client.closed()).toMatchObject({ code: 4009 });
  });
});

test('a refused connection is logged with its code, reason and address', async () => {
  const { log, lines } = recordLog('info');
  const broker = await startServer({ config: { trustProxy: true }, parts: { log } });
  await open(broker, '/app/other?protocol=7', { headers: { 'X-Forwarded-For': '192.0.2.7' } }).closed();
  const refusal = { code: 4001, reason: "No app has the key 'other'", address: '192.0.2.7' };
  expect(lines.filter(({ msg }) => msg === 'connection refused')).toMatchObject([refusal]);
});
