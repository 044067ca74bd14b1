import { describe, expect, test } from 'vitest';
import { startServer } from '../../helpers/brokers/server.ts';
import { answers, end, expectService, notAnObject } from '../../helpers/clients/bad-input.ts';
import { connect } from '../../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes } from '../../helpers/clients/raw.ts';
import { frames } from '../../helpers/frames.ts';

describe('a message in bytes', () => {
  test('that is binary is closed with 1003', async () => {
    expect(await end(frameOf({ opcode: opcodes.binary, payload: '{"event":"pusher:ping"}' }))).toEqual({
      code: 1003,
      reason: 'Binary frames are not part of the protocol',
    });
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['a character cut in half', [0xf0, 0x9f, 0x92]],
    ['a byte that UTF-8 never has', [0xff]],
  ])('that is not UTF-8, with %s, is closed with 1007', async (_what, bytes) => {
    const payload = Buffer.from([...Buffer.from('{"event":"'), ...bytes, ...Buffer.from('"}')]);
    expect(await end(frameOf({ payload }))).toMatchObject({ code: 1007 });
  });

  test('that is not UTF-8 across fragments is closed with 1007', async () => {
    const first = frameOf({ payload: Buffer.from([0xf0, 0x9f]), fin: false });
    const second = frameOf({ opcode: opcodes.continuation, payload: 'x' });
    expect(await end(first, second)).toMatchObject({ code: 1007 });
  });
});

describe('a message that is too large', () => {
  const settings = { config: { maxMessageBytes: 12_000 } };

  test('by one byte is closed with 1009', async () => {
    const broker = await startServer(settings);
    const client = await connect(broker);
    client.send(`"${'x'.repeat(11_999)}"`);
    expect(await client.closed()).toMatchObject({ code: 1009 });
    await expectService(broker);
  });

  test('is not one of maxMessageBytes', async () => {
    expect(await answers((client) => client.send(`"${'x'.repeat(11_998)}"`), settings)).toEqual([
      notAnObject,
    ]);
  });

  test.each([65_537, 2 ** 40])('is closed at its header, before its %i bytes came', async (length) => {
    expect(await end(frameOf({ length }))).toMatchObject({ code: 1009 });
  });

  test('beyond what numbers can tell is closed', async () => {
    expect(await end(Buffer.from([0x81, 0xff, ...Array<number>(12).fill(0xff)]))).toMatchObject({
      code: 1009,
    });
  });

  test('in fragments is closed with 1009', async () => {
    const first = frameOf({ payload: 'x'.repeat(60_000), fin: false });
    const second = frameOf({ opcode: opcodes.continuation, payload: 'x'.repeat(6000), fin: false });
    expect(await end(first, second)).toMatchObject({ code: 1009 });
  });
});

describe('fragments', () => {
  test('make one message', async () => {
    const client = await connectRaw(await startServer());
    client.send(frameOf({ payload: '{"event":', fin: false }));
    client.send(frameOf({ opcode: opcodes.continuation, fin: false }));
    client.send(frameOf({ opcode: opcodes.continuation, payload: '"pusher:ping"}' }));
    expect(await client.next()).toEqual({ opcode: opcodes.text, payload: frames.pong });
  });

  test('without end leave the connection to what comes between them', async () => {
    const broker = await startServer();
    const client = await connectRaw(broker);
    client.send(frameOf({ payload: '{"event":', fin: false }));
    client.send(frameOf({ opcode: opcodes.ping, payload: 'still here' }));
    expect(await client.next()).toEqual({ opcode: opcodes.pong, payload: 'still here' });
    await expectService(broker);
  });

  test('without end and content are closed with 1008', async () => {
    const more = Array<Buffer>(20_000).fill(frameOf({ opcode: opcodes.continuation, fin: false }));
    expect(await end(frameOf({ fin: false }), ...more)).toMatchObject({ code: 1008 });
  });
});
