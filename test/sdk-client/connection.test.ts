import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type ConnectionError,
  Countersign,
  type CountersignError,
  type CountersignOptions,
  type WebSocketLike,
} from '@countersign/sdk-client';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { ManualClock } from '../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { type FakeEndpoint, type Peer, startEndpoint } from '../helpers/clients/fake-endpoint.ts';

/** A connected client whose time stands still. */
async function stillClient(
  options: Partial<CountersignOptions> = {},
): Promise<{ endpoint: FakeEndpoint; clock: ManualClock; client: Countersign; peer: Peer }> {
  const endpoint = await startEndpoint();
  const clock = new ManualClock();
  const client = startClient(endpoint, { clock, reconnect: {}, ...options });
  const connected = nextEvent(client.connection, 'connected');
  clock.advance(0);
  const peer = await endpoint.welcome();
  await connected;
  return { endpoint, clock, client, peer };
}

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

describe('a close code decides what follows', () => {
  /** Closes an established connection; answers the delay before the next try, or undefined if there is none. */
  async function delayAfter(code: number, chance = 0): Promise<{ delay: number | undefined; state: string }> {
    const { clock, client, peer } = await stillClient({ unavailableTimeout: 90_000 });
    clock.chance = chance;
    const change = nextEvent(client.connection, 'state_change');
    if (code === 1006) peer.socket.terminate();
    else peer.socket.close(code, 'reason');
    await change;
    const state = client.connection.state;
    return { delay: clock.delays.find((delay) => delay !== 90_000), state };
  }

  test.each([1000, 1001, 1006, 1011, 1012, 3000, 3999])('%i: back off, with jitter', async (code) => {
    expect(await delayAfter(code)).toEqual({ delay: 500, state: 'connecting' });
    expect(await delayAfter(code, 0.5)).toEqual({ delay: 750, state: 'connecting' });
  });

  test.each([4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4099])('%i: stop', async (code) => {
    expect(await delayAfter(code)).toEqual({ delay: undefined, state: 'disconnected' });
  });

  test.each([4100, 4101, 4199])('%i: back off for a second at least', async (code) => {
    expect(await delayAfter(code)).toEqual({ delay: 1_500, state: 'connecting' });
  });

  test.each([4200, 4201, 4202, 4299])('%i: at once', async (code) => {
    expect(await delayAfter(code)).toEqual({ delay: 0, state: 'connecting' });
  });

  test.each([4300, 4301, 4302, 4399, 4999])('%i: stop', async (code) => {
    expect(await delayAfter(code)).toEqual({ delay: undefined, state: 'disconnected' });
  });

  test('4000: once more over TLS, and no third time', () => {
    const dialled: string[] = [];
    const sockets: { onclose: ((event: { code: number; reason: string }) => void) | null }[] = [];
    class Dial {
      onmessage = null;
      onclose: ((event: { code: number; reason: string }) => void) | null = null;
      onerror = null;
      constructor(url: string) {
        dialled.push(url.slice(0, url.indexOf('/app')));
        sockets.push(this);
      }
      send(): void {}
      close(): void {}
    }
    const clock = new ManualClock();
    const client = new Countersign('k', { host: 'h', port: 6001, forceTLS: false, WebSocket: Dial, clock });
    clock.advance(0);
    sockets[0]?.onclose?.({ code: 4000, reason: '' });
    clock.advance(0);
    expect(dialled).toEqual(['ws://h:6001', 'wss://h:6001']);
    sockets[1]?.onclose?.({ code: 4000, reason: '' });
    expect(client.connection.state).toBe('disconnected');
    expect(clock.pending).toBe(0);
  });

  test('4200 again and again, without a stable connection between, backs off', async () => {
    const { endpoint, clock, client, peer } = await stillClient();
    const delays: (number | undefined)[] = [];
    let current = peer;
    for (let i = 0; i < 4; i++) {
      const lost = nextEvent(client.connection, 'connecting');
      current.socket.close(4200);
      await lost;
      delays.push(clock.delays[0]);
      const connected = nextEvent(client.connection, 'connected');
      clock.advance(clock.delays[0] ?? 0);
      current = await endpoint.welcome();
      await connected;
    }
    expect(delays).toEqual([0, 1_000, 2_000, 4_000]);
    clock.advance(10_000);
    const lost = nextEvent(client.connection, 'connecting');
    current.socket.close(4200);
    await lost;
    expect(clock.delays[0]).toBe(0);
  });

  test('delays grow no further than maxDelay', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    startClient(endpoint, {
      clock,
      unavailableTimeout: 10 ** 9,
      reconnect: { minDelay: 100, maxDelay: 1_000 },
      WebSocket: class {
        onmessage = null;
        onerror = null;
        set onclose(listener: (event: { code: number; reason: string }) => void) {
          queueMicrotask(() => listener({ code: 1006, reason: '' }));
        }
        send(): void {}
        close(): void {}
      },
    });
    const delays: (number | undefined)[] = [];
    for (let i = 0; i < 7; i++) {
      clock.advance(clock.delays[0] ?? 0);
      await Promise.resolve();
      delays.push(clock.delays[0]);
    }
    expect(delays).toEqual([50, 100, 200, 400, 500, 500, 500]);
  });

  test('reports an error once when a close with the same code follows', async () => {
    const { client, peer } = await stillClient();
    const events = recorded(client.connection);
    const lost = nextEvent(client.connection, 'connecting');
    peer.send('{"event":"pusher:error","data":{"code":4200,"message":"Please reconnect"}}');
    peer.socket.close(4200, 'Please reconnect');
    await lost;
    await Promise.resolve();
    expect(events.filter(({ event }) => event === 'error')).toMatchObject([
      { event: 'error', data: { type: 'PusherError', data: { code: 4200, message: 'Please reconnect' } } },
    ]);
  });

  test('a close without a code, or without anything, is a loss', () => {
    const sockets: WebSocketLike[] = [];
    class Vague implements WebSocketLike {
      onmessage = null;
      onclose: WebSocketLike['onclose'] = null;
      onerror: WebSocketLike['onerror'] = null;
      constructor() {
        sockets.push(this);
      }
      send(): void {}
      close(): void {}
    }
    const clock = new ManualClock();
    const client = new Countersign('k', { host: 'h', WebSocket: Vague, clock });
    onTestFinished(() => client.disconnect());
    for (const event of [{}, undefined, { code: undefined, reason: undefined }]) {
      clock.advance(clock.delays[0] ?? 0);
      sockets.at(-1)?.onclose?.(event as never);
      expect(client.connection.state).toBe('connecting');
    }
    clock.advance(clock.delays[0] ?? 0);
    expect(sockets.length).toBe(4);
  });

  test('changes the state before it emits the error', async () => {
    const { client, peer } = await stillClient();
    const states: string[] = [];
    client.connection.bind('error', () => states.push(client.connection.state));
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.close(4200, 'Please reconnect');
    await lost;
    await Promise.resolve();
    expect(states).toEqual(['connecting']);
    expect(client.connection.socket_id).toBeUndefined();
  });
});

describe('a dead link', () => {
  test('silence is asked about, and no answer ends the connection', async () => {
    const { endpoint, clock, client, peer } = await stillClient();
    clock.advance(20_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    const lost = nextEvent(client.connection, 'connecting');
    clock.advance(10_000);
    await lost;
    clock.advance(0);
    await endpoint.accept();
  });

  test('by default it is known 30 seconds after the last sign of life, to the millisecond', async () => {
    const { clock, client, peer } = await stillClient();
    clock.advance(12_345);
    const heard = nextEvent(client.connection, 'message');
    peer.event('anything', {});
    await heard;
    clock.advance(29_999);
    expect(client.connection.state).toBe('connected');
    clock.advance(1);
    expect(client.connection.state).toBe('connecting');
  });

  test('any frame is a sign of life', async () => {
    const { clock, client, peer } = await stillClient();
    clock.advance(20_000);
    await peer.next();
    const message = nextEvent(client.connection, 'message');
    peer.event('anything', {}, 'channel');
    await message;
    clock.advance(19_000);
    expect(client.connection.state).toBe('connected');
  });

  test('the smaller of the two activity timeouts counts', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock });
    const connected = nextEvent(client.connection, 'connected');
    clock.advance(0);
    const peer = await endpoint.welcome('1.2', 5);
    await connected;
    clock.advance(5_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
  });

  test('after sleep the link is asked at once, and has two seconds', async () => {
    const { clock, client, peer } = await stillClient();
    clock.leap(3_600_000);
    clock.advance(1_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    expect(client.connection.state).toBe('connected');
    clock.advance(2_000);
    expect(client.connection.state).toBe('connecting');
  });

  test('a clock that is set back changes nothing of what is waited for', async () => {
    const { clock, client, peer } = await stillClient();
    clock.leap(-3_600_000);
    clock.advance(19_999);
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
    clock.advance(20_000);
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    clock.advance(10_000);
    expect(client.connection.state).toBe('connecting');
  });

  test('a clock that is set while the next try is waited for does not move that', async () => {
    const { clock, client, peer } = await stillClient();
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.close(4100);
    await lost;
    clock.leap(3_600_000);
    expect(clock.delays[0]).toBe(1_500);
  });

  test("the broker's ping is answered", async () => {
    const { peer } = await stillClient();
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
  });
});

describe('in a page', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  function page(): EventTarget {
    const target = new EventTarget();
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target));
    return target;
  }

  test.each(['online', 'offline', 'pageshow'])('"%s" makes it doubt the link', async (event) => {
    const target = page();
    const { peer } = await stillClient();
    target.dispatchEvent(new Event(event));
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
  });

  test('a page that thaws gives a good link the time to answer', async () => {
    const target = page();
    const { clock, client, peer } = await stillClient();
    clock.leap(60_000);
    target.dispatchEvent(new Event('pageshow'));
    await peer.next();
    clock.advance(1_500);
    expect(client.connection.state).toBe('connected');
    const heard = nextEvent(client.connection, 'message');
    peer.event('pusher:pong', {});
    await heard;
    clock.advance(10_000);
    expect(client.connection.state).toBe('connected');
  });

  test('becoming visible makes it doubt the link, becoming hidden does not', async () => {
    const document = { visibilityState: 'hidden' };
    vi.stubGlobal('document', document);
    const target = page();
    const { clock, peer } = await stillClient();
    target.dispatchEvent(new Event('visibilitychange'));
    peer.send('{"event":"pusher:ping","data":"{}"}');
    expect(await peer.next()).toEqual({ event: 'pusher:pong', data: {} });
    document.visibilityState = 'visible';
    target.dispatchEvent(new Event('visibilitychange'));
    expect(await peer.next()).toEqual({ event: 'pusher:ping', data: {} });
    expect(clock.now()).toBe(0);
  });

  test('a page that is left closes its connection, and connects anew when it is shown again', async () => {
    const target = page();
    const { endpoint, clock, client, peer } = await stillClient();
    target.dispatchEvent(new Event('pagehide'));
    expect(client.connection.state).toBe('connecting');
    expect(await peer.closed()).toBe(1000);
    target.dispatchEvent(new Event('pageshow'));
    const connected = nextEvent(client.connection, 'connected');
    clock.advance(0);
    await endpoint.welcome();
    await connected;
  });

  test('"online" gives up a try that hangs, but not one that has just begun', async () => {
    const target = page();
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    startClient(endpoint, { clock });
    clock.advance(0);
    const hanging = await endpoint.accept();
    target.dispatchEvent(new Event('online'));
    expect(clock.delays).not.toContain(0);
    clock.advance(2_001);
    target.dispatchEvent(new Event('online'));
    expect(clock.delays).toContain(0);
    clock.advance(0);
    await endpoint.welcome();
    await hanging.closed();
  });

  test('"online" ends the wait for the next try, but not the rest of an overloaded broker', async () => {
    const target = page();
    const { endpoint, clock, client, peer } = await stillClient();
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.close(4100);
    await lost;
    expect(clock.delays[0]).toBe(1_500);
    target.dispatchEvent(new Event('online'));
    expect(clock.delays[0]).toBe(1_000);
    clock.advance(1_000);
    (await endpoint.accept()).socket.terminate();
    await vi.waitFor(() => expect(clock.delays[0]).toBe(1_000));
    target.dispatchEvent(new Event('online'));
    expect(clock.delays[0]).toBe(0);
  });
});

describe('disconnect', () => {
  test('closes the socket and ends every timer', async () => {
    const { clock, client, peer } = await stillClient();
    client.subscribe('news');
    const disconnected = nextEvent(client.connection, 'disconnected');
    client.disconnect();
    await disconnected;
    expect(await peer.closed()).toBe(1000);
    expect(clock.pending).toBe(0);
    expect(client.connection.state).toBe('disconnected');
    expect(client.connection.socket_id).toBeUndefined();
  });

  test('while waiting for the next try, ends the trying', async () => {
    const { clock, client, peer } = await stillClient();
    const lost = nextEvent(client.connection, 'connecting');
    peer.socket.terminate();
    await lost;
    client.disconnect();
    expect(clock.pending).toBe(0);
  });

  test('connect begins anew', async () => {
    const { endpoint, clock, client } = await stillClient();
    client.disconnect();
    const connected = nextEvent(client.connection, 'connected');
    client.connect();
    client.connect();
    clock.advance(0);
    await endpoint.welcome('5.6');
    expect(await connected).toEqual({ socket_id: '5.6' });
  });

  test('lets a Node process end', async () => {
    const endpoint = await startEndpoint();
    const program = `
      import { Countersign } from '@countersign/sdk-client';
      const client = new Countersign('key-1', { host: '127.0.0.1', port: ${endpoint.port}, forceTLS: false });
      client.subscribe('news');
      client.connection.bind('connected', () => client.disconnect());
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: import.meta.dirname,
      stdio: 'inherit',
      timeout: 10_000,
    });
    const exit = once(child, 'exit');
    await endpoint.welcome();
    expect(await exit).toEqual([0, null]);
  });

  test('inside a listener, it is obeyed', async () => {
    const endpoint = await startEndpoint();
    const clock = new ManualClock();
    const client = startClient(endpoint, { clock });
    client.connection.bind('connected', () => client.disconnect());
    clock.advance(0);
    const peer = await endpoint.welcome();
    await peer.closed();
    expect(clock.pending).toBe(0);
  });
});

describe('errors', () => {
  test('a report of the broker leaves the connection open', async () => {
    const { client, peer } = await stillClient();
    const error = nextEvent(client.connection, 'error');
    peer.send('{"event":"pusher:error","data":{"code":4301,"message":"Too many client events"}}');
    expect(await error).toMatchObject({
      type: 'PusherError',
      data: { code: 4301, message: 'Too many client events' },
    });
    expect(client.connection.state).toBe('connected');
  });

  test('a broken frame is reported and skipped', async () => {
    const { client, peer } = await stillClient();
    const error = nextEvent(client.connection, 'error');
    peer.send('{');
    expect(await error).toMatchObject({ type: 'WebSocketError', data: { code: null } });
    expect(client.connection.state).toBe('connected');
  });

  test.each<[string, object, string]>([
    ['no options', undefined as never, 'The option "host" is missing'],
    ['no host', {}, 'The option "host" is missing'],
    ['an unknown option', { host: 'h', cluster: 'eu' }, 'There is no option "cluster": use "host"'],
    [
      'headers for the endpoint elsewhere',
      { host: 'h', auth: { headers: {} } },
      'use "channelAuthorization.headers"',
    ],
    ['a name of Object.prototype', { host: 'h', toString: 1 }, 'There is no option "toString"'],
    [
      'an unknown option inside another',
      { host: 'h', channelAuthorization: { transport: 'ajax' } },
      'There is no option "channelAuthorization.transport"',
    ],
    ['a time of 0', { host: 'h', pongTimeout: 0 }, 'The option "pongTimeout" is a number above 0'],
    [
      'a time that is text',
      { host: 'h', pongTimeout: '5000' },
      'The option "pongTimeout" is a number above 0',
    ],
    ['a time without an end', { host: 'h', pongTimeout: Infinity }, 'The option "pongTimeout" is a number'],
    ['a switch that is text', { host: 'h', forceTLS: 'false' }, 'The option "forceTLS" is a boolean'],
    ['a path without a slash', { host: 'h', path: 'ws' }, 'The option "path" starts with "/"'],
    ['a path with a query', { host: 'h', path: '/ws?a=b' }, 'The option "path" starts with "/"'],
    ['a host with a scheme', { host: 'https://h' }, 'Not a "host" and "port": https://h'],
    ['a host with a path', { host: 'h/ws' }, 'Not a "host" and "port": h/ws'],
    ['a host with a slash', { host: 'h/', port: 6001 }, 'Not a "host" and "port": h/:6001'],
    ['a port twice', { host: 'h:6001', port: 6001 }, 'Not a "host" and "port": h:6001:6001'],
    ['a port twice, with IPv6', { host: '[::1]:6001', port: 6001 }, 'Not a "host" and "port"'],
    ['a user in the host', { host: 'me@h' }, 'Not a "host" and "port": me@h'],
    ['a port that is none', { host: 'h', port: Number.NaN }, 'Not a "host" and "port": h:NaN'],
    ['a port of 0', { host: 'h', port: 0 }, 'Not a "host" and "port": h:0'],
    ['a port that is too high', { host: 'h', port: 65_536 }, 'Not a "host" and "port": h:65536'],
  ])('%s is refused', (_, options, message) => {
    const make = (): Countersign => new Countersign('key-1', options as CountersignOptions);
    expect(make).toThrow(message);
    expect(catching(make).code).toBe('invalid_option');
  });

  test('no key is refused', () => {
    expect(() => new Countersign('', { host: 'h' })).toThrow('The key is missing');
  });
});

/** Answers an upgrade with this status, as a proxy does. */
function refuseWith(status: number) {
  return (_request: unknown, socket: Duplex): void => {
    socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  };
}

function catching(action: () => unknown): CountersignError {
  try {
    action();
  } catch (error) {
    return error as CountersignError;
  }
  throw new Error('Nothing was thrown');
}
