import { Countersign, type WebSocketLike } from '@countersign/sdk-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../../helpers/clients/client-clock.ts';
import { nextEvent, recorded, startClient } from '../../helpers/clients/client-start.ts';
import { startEndpoint } from '../../helpers/clients/fake-endpoint.ts';
import { stillClient } from '../../helpers/clients/still-client.ts';

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
