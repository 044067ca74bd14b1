/**
 * An established connection learns why it is closed by a `pusher:error`, which has the code and the text of the close frame
 * that follows it.
 */
import type { Broker } from '@countersign/server';
import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { officialBackend } from '../helpers/brokers/backend.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { open } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, signIn } from '../helpers/clients/official.ts';
import { connectRaw, frameOf, opcodes } from '../helpers/clients/raw.ts';
import { frames } from '../helpers/frames.ts';

const CAPABLE = `/app/${APP.key}?protocol=7&client=test&version=1.0&countersign=1`;
const limits = { framesPerSecond: 1, subscriptionsPerConnection: 4 };
const silence = { activityTimeoutSeconds: 1, pongTimeoutSeconds: 1 };

/** How a connection comes to its end. */
interface Ending {
  readonly reason: string;
  readonly errorCode: string;
  readonly settings?: ServerSettings;
  readonly cause: (broker: Broker, ping: () => void) => unknown;
}

const endings: Record<number, Ending> = {
  4009: {
    reason: 'Signed out everywhere',
    errorCode: 'terminated',
    cause: (broker) =>
      request(broker, 'POST', '/users/ann/terminate_connections', {
        body: { reason: 'Signed out everywhere' },
      }),
  },
  4100: {
    reason: 'Too many messages: at most 1 a second',
    errorCode: 'too_many_messages',
    settings: { limits },
    cause: (_broker, ping) => {
      for (let sent = 0; sent < 6; sent += 1) ping();
    },
  },
  4200: {
    reason: 'The server restarts: please reconnect',
    errorCode: 'draining',
    cause: (broker) => broker.drain(),
  },
  4201: {
    reason: 'Pong reply not received',
    errorCode: 'pong_not_received',
    settings: { config: silence },
    cause: () => {},
  },
};

const cases = Object.entries(endings).map(([code, ending]) => [Number(code), ending] as const);

test.each(cases)('a client that is closed with %i', async (code, { reason, errorCode, settings, cause }) => {
  const broker = await startServer(settings);
  const client = await open(broker, undefined, { autoPong: false }).established();
  await client.signIn({ id: 'ann' });
  const caused = cause(broker, () => client.send({ event: 'pusher:ping' }));
  const received = await client.until((item) => typeof item !== 'string');
  expect(received.slice(-2)).toEqual([frames.error(code, reason, errorCode), { code, reason }]);
  await caused;
});

test.each(cases)(
  'a capable client that is closed with %i gets reason and code first',
  async (code, ending) => {
    const { reason, errorCode, settings, cause } = ending;
    const broker = await startServer(settings);
    const client = await open(broker, CAPABLE, { autoPong: false }).established();
    await client.signIn({ id: 'ann' });
    const caused = cause(broker, () => client.send({ event: 'pusher:ping' }));
    const received = await client.until((item) => typeof item !== 'string');
    expect(received.slice(-3)).toEqual([
      frames.terminated(reason, errorCode),
      frames.error(code, reason, errorCode),
      { code, reason },
    ]);
    await caused;
  },
);

test('a capable client that is refused gets reason and code first', async () => {
  const broker = await startServer();
  const client = open(broker, '/app/unknown?protocol=7&countersign=1');
  const reason = "No app has the key 'unknown'";
  expect(await client.until((item) => typeof item !== 'string')).toEqual([
    frames.terminated(reason, 'app_not_found'),
    frames.error(4001, reason, 'app_not_found'),
    { code: 4001, reason },
  ]);
});

const broken: readonly (readonly [code: number, errorCode: string, bytes: readonly Buffer[]])[] = [
  [1002, 'invalid_frame', [frameOf({ opcode: 3 })]],
  [1003, 'binary_frame', [frameOf({ opcode: opcodes.binary })]],
  [1007, 'invalid_text', [frameOf({ payload: Buffer.from([0xff]) })]],
  [
    1008,
    'too_many_fragments',
    [
      frameOf({ fin: false }),
      ...Array<Buffer>(64).fill(frameOf({ opcode: opcodes.continuation, fin: false })),
    ],
  ],
  [1009, 'message_too_large', [frameOf({ length: 2 ** 40 })]],
];

test.each(broken)(
  'a capable client whose message is closed with %i gets reason and code first, and a stock one the reason',
  async (code, errorCode, bytes) => {
    const broker = await startServer();
    const [capable, stock] = [await connectRaw(broker, CAPABLE), await connectRaw(broker)];
    for (const client of [capable, stock]) client.send(...bytes);
    const closed = await stock.next();
    expect(closed).toEqual({ code, reason: expect.stringMatching(/./) });
    const { reason } = closed as { readonly reason: string };
    expect(await capable.next()).toMatchObject({ payload: frames.terminated(reason, errorCode) });
    expect(await capable.next()).toEqual({ code, reason });
  },
);

test('the close reason of what protocol 7 does not know begins with its code, unless the client has it already', async () => {
  const broker = await startServer({ app: { maxConnectionSeconds: 1 } });
  const [stock, capable] = [await open(broker).established(), await open(broker, CAPABLE).established()];
  const reason = 'The connection is old: please reconnect';
  const ofStock = await stock.until((item) => typeof item !== 'string');
  expect(ofStock.at(-1)).toEqual({ code: 4200, reason: `connection_age: ${reason}` });
  const ofCapable = await capable.until((item) => typeof item !== 'string');
  expect(ofCapable).toContain(frames.terminated(reason, 'connection_age'));
  expect(ofCapable.at(-1)).toEqual({ code: 4200, reason });
});

// `pusher-js` answers every ping, so it is never closed with 4201.
test.each(cases.filter(([code]) => code !== 4201))(
  '`pusher-js` that is closed with %i raises `error`',
  async (code, { reason, errorCode, settings, cause }) => {
    const broker = await startServer(settings);
    const client = await connectPusher(broker, { backend: await officialBackend(broker), user: 'ann' });
    await signIn(client);
    const errors = listen(client.connection, 'error');
    const caused = cause(broker, () => client.send_event('pusher:ping', {}));
    const data = { code, message: reason, error_code: errorCode };
    expect(await errors.next()).toEqual({ type: 'PusherError', data });
    await caused;
  },
);
