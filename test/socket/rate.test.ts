import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';

/** A broker whose clock stands still until it is moved. */
async function startAtRest(
  settings: ServerSettings = {},
): Promise<[Broker, pass: (seconds: number) => void]> {
  let now = 1_750_000_000_000;
  const broker = await startServer({ ...settings, parts: { monotonic: () => now } });
  return [broker, (seconds) => (now += seconds * 1000)];
}

const tooMany = { code: 4100, reason: 'Too many messages: at most 100 a second' };
const isClose = (received: unknown) => typeof received !== 'string';

describe('a client that sends many frames', () => {
  test('may come back with 200 channels at once', async () => {
    const [broker] = await startAtRest();
    const client = await connect(broker);
    for (let id = 0; id < 200; id += 1) client.subscribe(`channel-${id}`);
    for (let id = 0; id < 200; id += 1) {
      expect(await client.next()).toBe(
        `{"event":"pusher_internal:subscription_succeeded","channel":"channel-${id}","data":"{}"}`,
      );
    }
    expect(await client.nothing()).toEqual([]);
  });

  test('may send a burst of framesPerSecond and subscriptionsPerConnection together, and is closed with 4100 after its answers', async () => {
    const [broker] = await startAtRest();
    const client = await connect(broker);
    for (let count = 0; count < 301; count += 1) client.send({ event: 'pusher:ping' });
    expect(await client.until(isClose)).toEqual([
      ...Array<string>(300).fill(frames.pong),
      frames.error(4100, tooMany.reason, 'too_many_messages'),
      tooMany,
    ]);
  });

  test('may then send framesPerSecond', async () => {
    const [broker, pass] = await startAtRest();
    const client = await connect(broker);
    for (let count = 0; count < 300; count += 1) client.send({ event: 'pusher:ping' });
    for (let count = 0; count < 300; count += 1) await client.next();
    pass(0.5);
    for (let count = 0; count < 51; count += 1) client.send({ event: 'pusher:ping' });
    expect(await client.until(isClose)).toEqual([
      ...Array<string>(50).fill(frames.pong),
      frames.error(4100, tooMany.reason, 'too_many_messages'),
      tooMany,
    ]);
  });

  test('saves no more than one burst', async () => {
    const [broker, pass] = await startAtRest();
    const client = await connect(broker);
    pass(3600);
    for (let count = 0; count < 301; count += 1) client.send({ event: 'pusher:ping' });
    expect(await client.until(isClose)).toHaveLength(302);
  });

  test('may send without end where the limit is null', async () => {
    const [broker] = await startAtRest({ limits: { framesPerSecond: null } });
    const client = await connect(broker);
    for (let count = 0; count < 1000; count += 1) client.send({ event: 'pusher:ping' });
    for (let count = 0; count < 1000; count += 1) expect(await client.next()).toBe(frames.pong);
  });

  test('is counted with what cannot be read too', async () => {
    const [broker] = await startAtRest({ limits: { framesPerSecond: 2, subscriptionsPerConnection: 1 } });
    const client = await connect(broker);
    for (let count = 0; count < 4; count += 1) client.send('?');
    expect(await client.until(isClose)).toEqual([
      ...Array<unknown>(4).fill(expect.stringContaining('"pusher:error"')),
      { code: 4100, reason: 'Too many messages: at most 2 a second' },
    ]);
  });

  test('is counted with each WebSocket Ping too', async () => {
    const [broker] = await startAtRest();
    const client = await connectRaw(broker);
    for (let count = 0; count < 300; count += 1) {
      client.send(frameOf({ opcode: opcodes.ping }));
      await client.next();
    }
    client.send(frameOf({ opcode: opcodes.ping }));
    expect(await client.closed()).toEqual(tooMany);
  });

  test('is counted with each WebSocket Pong too', async () => {
    const [broker] = await startAtRest();
    const client = await connectRaw(broker);
    client.send(...Array<Buffer>(301).fill(frameOf({ opcode: opcodes.pong })));
    expect(await client.closed()).toEqual(tooMany);
  });

  test('does not harm others', async () => {
    const [broker] = await startAtRest();
    const [flood, other] = [await connect(broker), await connect(broker)];
    for (let count = 0; count < 2000; count += 1) flood.send({ event: 'pusher:ping' });
    expect(await flood.closed()).toEqual(tooMany);
    expect(await other.nothing()).toEqual([]);
  });
});
