import { sign } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import { expect } from 'vitest';
import { APP, type ServerSettings, startServer } from '../brokers/server.ts';
import { frames } from '../frames.ts';
import { connect, type Received, type TestClient } from './client.ts';
import { connectRaw, type RawReceived } from './raw.ts';

export const notAnObject = frames.error(
  null,
  'Invalid message: expected a JSON object with a string "event"',
  'invalid_message',
);

/** Proves that another client is served as if nothing had happened. */
export async function expectService(broker: Broker): Promise<void> {
  const other = await connect(broker);
  expect(await other.join('private-other')).toBe(frames.subscribed('private-other'));
}

/** What a client is answered that sends this, while its connection stays and others are served. */
export async function answers(
  send: (client: TestClient) => void,
  settings?: ServerSettings,
): Promise<Received[]> {
  const broker = await startServer(settings);
  const client = await connect(broker);
  send(client);
  const received = [await client.next(), ...(await client.nothing())];
  await expectService(broker);
  return received;
}

/** How the connection of a raw client ends that sends this, while others are served. */
export async function end(...bytes: readonly Buffer[]): Promise<RawReceived> {
  const broker = await startServer();
  const client = await connectRaw(broker);
  client.send(...bytes);
  const received = await client.closed();
  await expectService(broker);
  return received;
}

export function signInWith(client: TestClient, userData: string): void {
  const auth = `${APP.key}:${sign(APP.secret, `${client.socketId}::user::${userData}`)}`;
  client.send({ event: 'pusher:signin', data: { auth, user_data: userData } });
}
