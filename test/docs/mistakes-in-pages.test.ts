/** The mistakes that are made in a page, or that a page is the first to notice: what its console says. */
import { readFileSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import { type AddressInfo, connect, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Countersign, CountersignOptions, WebSocketConstructor } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';
import { channelText, sign } from '@countersign/sdk-server/signature';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { type AuthAnswer, startAuthEndpoint } from '../helpers/clients/client-auth-endpoint.ts';
import { nextEvent } from '../helpers/clients/client-start.ts';
import { consoleLines, firstOf, startUnheard as start } from '../helpers/clients/unheard-client.ts';
import { mistakesOf } from '../helpers/mistakes.ts';

const HTML = '<!doctype html><html><head><title>Shop</title></head><body><h1>Log in</h1></body></html>';
const DATA = '{"user_id":"7","user_info":{"name":"Ann"}}';
const SECOND = { key: 'key-2', secret: 'secret-2' };
const TLS = new URL('../helpers/tls/', import.meta.url);

/** What the console says first of a client that connects wrongly. */
async function told(port: number, options?: Partial<CountersignOptions>, key?: string): Promise<string> {
  const lines = consoleLines();
  start(port, options, key);
  return firstOf(lines);
}

async function brokerPort(settings: ServerSettings = {}): Promise<number> {
  return (await startServer(settings)).port;
}

function signed(form: string, channelData?: string, secret: string = APP.secret): string {
  const fields = new URLSearchParams(form);
  const text = channelText(fields.get('socket_id') ?? '', fields.get('channel_name') ?? '', channelData);
  return `${APP.key}:${sign(secret, text)}`;
}

/** What the console says of a channel whose endpoint answers wrongly, without what must stay secret. */
async function refused(
  answer: (form: string) => AuthAnswer,
  channel = 'private-room',
  settings: ServerSettings = {},
): Promise<string> {
  const port = await brokerPort(settings);
  const { url } = await startAuthEndpoint(({ body }) => answer(body));
  const lines = consoleLines();
  start(port, { encryption, channelAuthorization: { endpoint: `${url}?token=hush` } }).subscribe(channel);
  const line = await firstOf(lines);
  expect(line).toContain(`[countersign] ${channel} is not subscribed: `);
  expect(line).toMatch(/ See docs\/errors\.md#\w+$/);
  expect(line).not.toContain('hush');
  expect(line).not.toContain(APP.secret);
  return line;
}

const developing = (keys: readonly object[] = [APP]): ServerSettings => ({
  app: {
    keys: keys.map((key) => ({ key: Reflect.get(key, 'key'), secret: Reflect.get(key, 'secret') })),
    explainRefusals: true,
  },
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that ends TLS and says nothing of it. */
async function tlsProxy(target: number): Promise<number> {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(new URL(name, TLS)));
  return listening(
    createTlsServer({ key, cert }, (near) => {
      const far = connect(target, '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) socket.on('error', () => {});
    }),
  );
}

/** A proxy that speaks HTTP only. */
function plainProxy(target: number): Promise<number> {
  const proxy = createServer((incoming, outgoing) => {
    const { url: path, headers } = incoming;
    const { upgrade: _, connection: __, ...passedOn } = headers;
    ask({ port: target, host: '127.0.0.1', path, headers: passedOn }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502);
      answer.on('error', () => outgoing.destroy()).pipe(outgoing);
    })
      .on('error', () => outgoing.destroy())
      .end();
  });
  // Without a listener, node answers a request for an upgrade as any other.
  return listening(proxy);
}

/** A WebSocket as a browser makes it for a page. */
function socketOf(options: object): WebSocketConstructor {
  return class extends WebSocket {
    constructor(url: string) {
      super(url, options);
    }
  } as unknown as WebSocketConstructor;
}

const thrown = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return String(error);
  }
  throw new Error('It was accepted');
};
const idle = (): Countersign => start(9, { autoConnect: false });

const MAKE: Readonly<Record<number, () => string | Promise<string>>> = {
  1: async () => told(await brokerPort(), {}, 'nokey'),
  2: () => told(9),
  3: async () => told(await brokerPort({ config: { pathPrefix: '/realtime' } })),
  4: async () => told(await brokerPort(), { forceTLS: true }),
  5: async () => {
    const port = await brokerPort();
    const lines = consoleLines();
    start(port).subscribe('my news');
    return firstOf(lines);
  },
  6: () => refused((form) => ({ body: { auth: signed(form, undefined, 'another secret') } })),
  7: () =>
    refused(
      (form) => ({ body: { auth: signed(form, undefined, SECOND.secret) } }),
      'private-room',
      developing([APP, SECOND]),
    ),
  8: () => refused((form) => ({ body: { auth: signed(form).replace(APP.key, 'nope') } })),
  9: async () => {
    const port = await brokerPort(developing());
    const { socket_id: other } = await nextEvent<{ socket_id: string }>(start(port).connection, 'connected');
    const { url } = await startAuthEndpoint(({ body }) => ({
      body: { auth: signed(body.replace(/socket_id=[\d.]+/, `socket_id=${other}`)) },
    }));
    const lines = consoleLines();
    start(port, { channelAuthorization: { endpoint: url } }).subscribe('private-room');
    return firstOf(lines);
  },
  10: () => refused((form) => ({ body: { auth: signed(form).replace(/.*:/, '') } })),
  11: () =>
    refused(
      (form) => ({
        body: { auth: signed(form, JSON.stringify(JSON.parse(DATA), null, 2)), channel_data: DATA },
      }),
      'presence-room',
      developing(),
    ),
  12: () => refused((form) => ({ body: { auth: signed(form) } }), 'presence-room'),
  13: () =>
    refused(
      (form) => ({ body: { auth: signed(form, '{"id":7}'), channel_data: '{"id":7}' } }),
      'presence-room',
    ),
  14: () =>
    refused(
      (form) => ({ body: { auth: signed(form, DATA), channel_data: JSON.parse(DATA) } }),
      'presence-room',
    ),
  15: () => refused(() => ({ body: HTML })),
  16: () => refused(() => ({ body: { token: 'hush' } })),
  17: () => refused(() => ({ status: 401, body: { error: 'Sign in first', code: 'not_signed_in' } })),
  18: () => refused(() => ({ status: 403, body: { message: 'ann is not in this room' } })),
  19: () => refused(() => ({ status: 404, body: '<html><body><pre>Cannot POST /auth</pre></body></html>' })),
  20: () => refused(() => ({ status: 500, body: 'no such table: users' })),
  21: () => refused(() => ({ status: 302, headers: { Location: '/login?next=/auth' } })),
  25: () => thrown(() => idle().subscribe('private-encrypted-room')),
  26: () => refused((form) => ({ body: { auth: signed(form) } }), 'private-encrypted-room'),
  27: () => thrown(() => idle().subscribe('news').trigger('client-typing', {})),
  28: () =>
    thrown(() =>
      idle()
        .subscribe('private-room')
        .trigger('typing' as 'client-typing', {}),
    ),
  29: async () =>
    told(await brokerPort({ app: { allowedOrigins: ['https://shop.example'] } }), {
      WebSocket: socketOf({ origin: 'https://elsewhere.example' }),
    }),
  30: async () =>
    told(await tlsProxy(await brokerPort({ app: { requireTLS: true } })), {
      forceTLS: true,
      WebSocket: socketOf({ rejectUnauthorized: false }),
    }),
  31: async () => {
    const port = await brokerPort({ limits: { connections: 1 } });
    await nextEvent(start(port).connection, 'connected');
    return told(port);
  },
  32: async () => told(await plainProxy(await brokerPort())),
};

test.each(mistakesOf('In the page'))('$number: $name', async ({ number, told: expected, score }) => {
  expect(await MAKE[number]?.()).toMatch(expected);
  expect(score).toBeGreaterThanOrEqual(2.5);
});
