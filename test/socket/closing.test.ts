/**
 * An established connection learns why it is closed by a `pusher:error`, which has the code and the text of the close frame
 * that follows it.
 */
import type { Broker } from '@countersign/server';
import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { officialBackend } from '../helpers/brokers/backend.ts';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { open } from '../helpers/clients/client.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { connectPusher, signIn } from '../helpers/clients/official.ts';
import { frames } from '../helpers/frames.ts';

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
