import { describe, expect, onTestFinished, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';

const PING = '{"event":"pusher:ping","data":{}}';
const PONG = { opcode: opcodes.text, payload: '{"event":"pusher:pong","data":"{}"}' };

/** A message, in so many fragments of which the last one ends it. */
function fragmentsOf(text: string, count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    frameOf({
      opcode: index === 0 ? opcodes.text : opcodes.continuation,
      payload: index === 0 ? text : '',
      fin: index === count - 1,
    }),
  );
}

describe('a message in fragments', () => {
  test('may have 64 of them', async () => {
    const client = await connectRaw(await startServer());
    client.send(...fragmentsOf(PING, 64));
    expect(await client.next()).toEqual(PONG);
    client.send(...fragmentsOf(PING, 64));
    expect(await client.next()).toEqual(PONG);
  });

  test('may have one for each kilobyte of maxMessageBytes', async () => {
    const client = await connectRaw(await startServer({ config: { maxMessageBytes: 102_400 } }));
    client.send(...fragmentsOf(PING, 100));
    expect(await client.next()).toEqual(PONG);
  });

  test('of more closes the connection, and is counted and logged', async () => {
    const { log, lines } = recordLog('info');
    const broker = await startServer({ parts: { log } });
    const client = await connectRaw(broker);
    client.send(...fragmentsOf(PING, 65));
    expect(await client.next()).toMatchObject({ code: 1008 });
    const samples = await readSamples(broker.metricsUrl!);
    expect(samples.get('countersign_refusals_total{app="app-1",reason="message_fragments"}')).toBe(1);
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'message too large', type: 'message_fragments', appId: 'app-1' }),
    );
  });
});

test('a message that makes no end closes its connection, whatever frames of control come with it', async () => {
  let ms = 0;
  const { log, lines } = recordLog('info');
  const parts = { log, monotonic: () => ms };
  const broker = await startServer({ config: { requestTimeoutSeconds: 30 }, parts });
  const [half, whole] = [await connectRaw(broker), await connectRaw(broker)];
  half.send(...fragmentsOf(PING, 3).slice(0, 2));
  const timer = setInterval(() => {
    ms += 2000;
    half.send(frameOf({ opcode: opcodes.ping }));
  }, 100);
  onTestFinished(() => clearInterval(timer));
  let received = await half.next();
  while (typeof received === 'object' && 'opcode' in received && received.opcode === opcodes.pong) {
    received = await half.next();
  }
  clearInterval(timer);
  expect(received).toMatchObject({ code: 1008, reason: 'The message takes too long' });
  expect(ms).toBeGreaterThanOrEqual(30_000);
  whole.send(frameOf({ payload: PING }));
  expect(await whole.next()).toEqual(PONG);
  const samples = await readSamples(broker.metricsUrl!);
  expect(samples.get('countersign_refusals_total{app="app-1",reason="message_time"}')).toBe(1);
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'connection closed', code: 1008 }));
});

describe('sign-ins', () => {
  test('of one connection are bounded per minute', async () => {
    let ms = 0;
    const broker = await startServer({ limits: { signInsPerMinute: 3 }, parts: { monotonic: () => ms } });
    const client = await connect(broker);
    for (let count = 0; count < 3; count += 1) {
      expect(await client.signIn({ id: 'ann' })).toBe(frames.signedIn('{"id":"ann"}'));
    }
    ms += 20_000;
    expect(await client.signIn({ id: 'ann' })).toBe(frames.signedIn('{"id":"ann"}'));
    const reason = 'Too many sign-ins: at most 3 a minute';
    expect(await client.signIn({ id: 'ann' })).toBe(frames.error(4100, reason, 'too_many_sign_ins'));
    expect(await client.next()).toEqual({ code: 4100, reason });
  });

  test('with the same data do not look at the watchlist again', async () => {
    const client = await connect(await startServer());
    const ann = { id: 'ann', watchlist: ['bob', 'cem'] };
    expect(await client.signIn(ann)).toBe(frames.signedIn(JSON.stringify(ann)));
    expect(await client.next()).toBe(frames.watchlist({ offline: ['bob', 'cem'] }));
    expect(await client.signIn(ann)).toBe(frames.signedIn(JSON.stringify(ann)));
    expect(await client.nothing()).toEqual([]);
    const other = { id: 'ann', watchlist: ['bob'] };
    expect(await client.signIn(other)).toBe(frames.signedIn(JSON.stringify(other)));
    expect(await client.next()).toBe(frames.watchlist({ offline: ['bob'] }));
  });
});
