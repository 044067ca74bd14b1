import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type ConnectionError,
  Countersign,
  type CountersignOptions,
  type WebSocketLike,
} from '@countersign/sdk-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';

describe('connecting', () => {
  test('the URL names key, protocol and library, below the path', async () => {
    const endpoint = await startEndpoint();
    startClient(endpoint, { path: '/ws' });
    const { url } = await endpoint.accept();
    expect(url).toBe('/ws/app/key-1?protocol=7&client=countersign-js&version=0.1.0&countersign=1');
  });

  test.each<[string, Partial<CountersignOptions>, string]>([
    ['an IPv6 address', { host: '::1', port: 6001 }, 'ws://[::1]:6001/app/k?'],
    ['an IPv6 address in brackets', { host: '[::1]', port: '6001' }, 'ws://[::1]:6001/app/k?'],
    ['a host with its port', { host: 'h:6001' }, 'ws://h:6001/app/k?'],
    ['a path that ends with slashes', { host: 'h', path: '/realtime//' }, 'ws://h/realtime/app/k?'],
    ['a path that is a slash', { host: 'h', path: '/' }, 'ws://h/app/k?'],
  ])('%s is dialled', (_, options, start) => {
    const dialled: string[] = [];
    class Dial implements WebSocketLike {
      onmessage = null;
      onclose = null;
      onerror = null;
      constructor(url: string) {
        dialled.push(url);
      }
      send(): void {}
      close(): void {}
    }
    const clock = new ManualClock();
    const client = new Countersign('k', { host: '', forceTLS: false, WebSocket: Dial, clock, ...options });
    clock.advance(0);
    client.disconnect();
    expect(dialled).toEqual([expect.stringContaining(start)]);
  });

  test('autoConnect: false waits for connect()', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock, autoConnect: false });
    const channel = client.subscribe('news');
    expect(client.connection.state).toBe('initialized');
    expect(clock.pending).toBe(0);
    client.connect();
    clock.advance(0);
    const peer = await endpoint.welcome();
    await peer.next();
    expect(channel.subscriptionPending).toBe(true);
  });

  test.each<[string, (server: Server) => void, RegExp]>([
    ['nobody listens', (server) => server.close(), /ECONNREFUSED/],
    ['a proxy answers 404', (server) => server.on('upgrade', refuseWith(404)), /404/],
    ['a proxy answers 502', (server) => server.on('upgrade', refuseWith(502)), /502/],
    [
      'the server speaks another protocol',
      (server) =>
        new WebSocketServer({ server }).on('connection', (socket) => socket.send('{"type":"hello"}')),
      /Not a protocol frame/,
    ],
  ])('when %s, each try tells one error with what the platform says', async (_, prepare, text) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    prepare(server);
    let dialled = 0;
    const client = new Countersign('k', {
      host: '127.0.0.1',
      port,
      forceTLS: false,
      reconnect: { minDelay: 1, maxDelay: 5 },
      WebSocket: class extends WebSocket {
        constructor(url: string) {
          super(url);
          dialled++;
        }
      },
    });
    const errors: ConnectionError[] = [];
    const told = new Promise<number>((resolve) => {
      client.connection.bind('error', (error) => {
        if (errors.push(error) === 3) resolve(dialled);
      });
    });
    onTestFinished(() => client.disconnect());
    expect(await told).toBe(3);
    for (const { type, data } of errors) {
      expect(type).toBe('WebSocketError');
      expect(data).toEqual({ code: null, message: expect.stringMatching(text) });
    }
  });

  test('TLS is the default', () => {
    const dialled: string[] = [];
    class Dial {
      onmessage = null;
      onclose = null;
      onerror = null;
      constructor(url: string) {
        dialled.push(url);
      }
      send(): void {}
      close(): void {}
    }
    const clock = new ManualClock();
    const client = new Countersign('a/b', { host: 'example.com', WebSocket: Dial, clock });
    clock.advance(0);
    expect(dialled).toEqual([
      'wss://example.com/app/a%2Fb?protocol=7&client=countersign-js&version=0.1.0&countersign=1',
    ]);
    client.disconnect();
    expect(clock.pending).toBe(0);
  });

  test('connected means greeted, not merely open', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const peer = await endpoint.accept();
    expect(client.connection.state).toBe('connecting');
    expect(client.connection.socket_id).toBeUndefined();
    const connected = nextEvent(client.connection, 'connected');
    peer.greet('12.34');
    expect(await connected).toEqual({ socket_id: '12.34' });
    expect(client.connection.state).toBe('connected');
    expect(client.connection.socket_id).toBe('12.34');
  });

  test.each([
    ['a frame that is not JSON', 'hello'],
    ['a JSON array', '[]'],
    ['another event', '{"event":"pusher:ping","data":"{}"}'],
    ['an error without a closing code', '{"event":"pusher:error","data":{"code":null,"message":"no"}}'],
  ])('%s is no greeting: the client tries again', async (_, frame) => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    (await endpoint.accept()).send(frame);
    const connected = nextEvent(client.connection, 'connected');
    await endpoint.welcome();
    await connected;
  });

  test('an error before the greeting is its close', async () => {
    const endpoint = await startEndpoint();
    const client = startClient(endpoint);
    const peer = await endpoint.accept();
    const error = nextEvent(client.connection, 'error');
    peer.send('{"event":"pusher:error","data":{"code":4001,"message":"No app has this key"}}');
    expect(await error).toMatchObject({
      type: 'PusherError',
      data: { code: 4001, message: 'No app has this key' },
    });
    expect(client.connection.state).toBe('disconnected');
    await peer.closed();
  });

  test('a peer that never greets is given up after connectTimeout', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    startClient(endpoint, { clock, connectTimeout: 3_000 });
    clock.advance(0);
    const silent = await endpoint.accept();
    clock.advance(3_000);
    await silent.closed();
    clock.advance(5);
    await endpoint.accept();
  });

  test('without success for unavailableTimeout the state says so, and trying goes on', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock, connectTimeout: 60_000, unavailableTimeout: 4_000 });
    clock.advance(0);
    const peer = await endpoint.accept();
    clock.advance(3_999);
    expect(client.connection.state).toBe('connecting');
    clock.advance(1);
    expect(client.connection.state).toBe('unavailable');
    const change = nextEvent(client.connection, 'state_change');
    peer.greet();
    expect(await change).toEqual({ previous: 'unavailable', current: 'connected' });
  });

  test('a URL that the platform does not dial is a failure', () => {
    class Refuse {
      onmessage = null;
      onclose = null;
      onerror = null;
      constructor() {
        throw new Error('Not this URL');
      }
      send(): void {}
      close(): void {}
    }
    const clock = new ManualClock();
    const client = new Countersign('key-1', { host: 'h', WebSocket: Refuse, clock });
    const events = recorded(client.connection);
    clock.advance(0);
    expect(client.connection.state).toBe('failed');
    expect(events.at(-1)).toMatchObject({
      event: 'error',
      data: { type: 'WebSocketError', data: { code: null, message: 'Error: Not this URL' } },
    });
    expect(clock.pending).toBe(0);
  });
});

/** Answers an upgrade with this status, as a proxy does. */
function refuseWith(status: number) {
  return (_request: unknown, socket: Duplex): void => {
    socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  };
}
