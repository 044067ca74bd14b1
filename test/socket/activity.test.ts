import { once } from 'node:events';
import type { Broker } from '@countersign/server';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect, open, type TestClient } from '../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';

const PING = '{"event":"pusher:ping","data":"{}"}';

/** A client that never answers a WebSocket Ping. */
async function connectMute(broker: Broker): Promise<TestClient> {
  return open(broker, undefined, { autoPong: false }).established();
}

describe('a ping of the client', () => {
  test.each([
    '{"event":"pusher:ping","data":{}}',
    '{"event": "pusher:ping"}',
    '{"event":"pusher:ping","data":"{}"}',
  ])('%s is answered once', async (ping) => {
    const client = await connect(await startServer());
    client.send(ping);
    expect(await client.next()).toBe(frames.pong);
    expect(await client.nothing()).toEqual([]);
  });

  test.each(['null', '[]', '1', '"x"', '{"deep":[[]]}'])('may carry %s', async (data) => {
    const client = await connect(await startServer());
    client.send(`{"event":"pusher:ping","data":${data}}`);
    expect(await client.next()).toBe(frames.pong);
  });

  test('by WebSocket is answered with the same payload', async () => {
    const client = await connect(await startServer());
    client.socket.ping('swift');
    const [payload] = await once(client.socket, 'pong');
    expect(payload.toString()).toBe('swift');
  });

  test('by WebSocket may carry 125 bytes of anything', async () => {
    const payload = Buffer.alloc(125, 0xff);
    const client = await connectRaw(await startServer());
    client.send(frameOf({ opcode: opcodes.ping, payload }));
    expect(await client.next()).toEqual({ opcode: opcodes.pong, payload: payload.toString() });
  });
});

describe('a pong of the client', () => {
  test.each(['{"event":"pusher:pong","data":{}}', '{"event":"pusher:pong"}'])(
    '%s is not answered',
    async (pong) => {
      const client = await connect(await startServer());
      client.send(pong);
      expect(await client.nothing()).toEqual([]);
    },
  );
});

describe('a silent client', () => {
  // The clock of the broker, and the timer by which it looks at who is silent, stand still unless a test moves them.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] }));
  afterEach(() => void vi.useRealTimers());

  const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000);

  /** All that was sent before is read by now: it stood in the broker's queue of events before this request. */
  const arrived = async (broker: Broker) => (await fetch(`${broker.url}/health`)).text();

  test('is pinged both ways after the activity timeout, and not before', async () => {
    const client = await connectMute(await startServer());
    pass(119);
    expect(await client.nothing()).toEqual([]);
    pass(119);
    expect(await client.nothing()).toEqual([]);
    const pinged = once(client.socket, 'ping');
    pass(120);
    expect(await client.next()).toBe(PING);
    await pinged;
    expect(await client.nothing()).toEqual([]);
  });

  test('is pinged once', async () => {
    const client = await connectMute(await startServer());
    pass(120);
    expect(await client.next()).toBe(PING);
    pass(29);
    expect(await client.nothing()).toEqual([]);
  });

  test('is closed with 4201 when it says nothing for the pong timeout after that', async () => {
    const client = await connectMute(await startServer());
    pass(120);
    pass(30);
    expect(await client.next()).toBe(PING);
    expect(await client.closed()).toEqual({ code: 4201, reason: 'Pong reply not received' });
  });

  test.each<[what: string, settings: ServerSettings, silent: number, mute: number]>([
    ['of the broker', { config: { activityTimeoutSeconds: 7, pongTimeoutSeconds: 3 } }, 7, 3],
    ['of its app', { app: { activityTimeoutSeconds: 9 }, config: { pongTimeoutSeconds: 2 } }, 9, 2],
  ])('is measured by the settings %s', async (_what, settings, silent, mute) => {
    const client = await connectMute(await startServer(settings));
    pass(silent - 1);
    expect(await client.nothing()).toEqual([]);
    pass(silent);
    expect(await client.next()).toBe(PING);
    pass(mute);
    expect(await client.closed()).toMatchObject({ code: 4201 });
  });

  test('has all of the pong timeout, also when the broker itself was asleep', async () => {
    let asleepMs = 0;
    const parts = { monotonic: () => performance.now() + asleepMs };
    const client = await connectMute(await startServer({ parts }));
    asleepMs = 3_600_000;
    pass(1);
    expect(await client.next()).toBe(PING);
    pass(29);
    expect(await client.nothing()).toEqual([]);
  });

  test.each<[what: string, say: (client: TestClient) => void]>([
    ['pusher:pong', (client) => client.send({ event: 'pusher:pong', data: {} })],
    ['a WebSocket Pong', (client) => client.socket.pong()],
    ['a WebSocket Ping', (client) => client.socket.ping()],
    ['a subscription', (client) => client.subscribe('news')],
    ['a client event that is refused', (client) => client.send({ event: 'client-a', channel: 'x', data: 1 })],
    ['what is no message', (client) => client.send('?')],
  ])('stays when it answers the ping with %s', async (_what, say) => {
    const broker = await startServer();
    const client = await connectMute(broker);
    pass(120);
    expect(await client.next()).toBe(PING);
    say(client);
    await arrived(broker);
    pass(119);
    client.send({ event: 'pusher:ping' });
    await client.until((received) => received === frames.pong);
  });

  test('stays as long as only the WebSocket library answers', async () => {
    const broker = await startServer();
    const client = await connect(broker);
    for (let round = 0; round < 3; round += 1) {
      const pinged = once(client.socket, 'ping');
      pass(120);
      expect(await client.next()).toBe(PING);
      await pinged;
      await arrived(broker);
    }
    expect(await client.nothing()).toEqual([]);
  });

  test('is not kept by what it is sent', async () => {
    const broker = await startServer();
    const [speaker, listener] = [await connectMute(broker), await connectMute(broker)];
    await speaker.join('private-a');
    await listener.join('private-a');
    pass(119);
    speaker.send({ event: 'client-a', channel: 'private-a', data: 'x' });
    expect(await listener.next()).toBe('{"event":"client-a","channel":"private-a","data":"x"}');
    pass(1);
    expect(await listener.next()).toBe(PING);
  });

  test('is not kept by a message that it never ends', async () => {
    const client = await connectRaw(await startServer());
    pass(119);
    client.send(frameOf({ payload: '{"event":', fin: false }));
    pass(1);
    pass(30);
    expect(await client.closed()).toEqual({ code: 4201, reason: 'Pong reply not received' });
  });
});
