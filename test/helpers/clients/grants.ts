import type { Broker } from '@countersign/server';
import { APP } from '../brokers/server.ts';
import { open, type Received, type TestClient } from './client.ts';

/** What a grant of a test says, as the claims of extensions spell it. */
export type Claims = Readonly<Record<string, unknown>>;

/** Unix seconds, some seconds from now. */
export function inSeconds(seconds: number): number {
  return Math.ceil(Date.now() / 1000 + seconds);
}

/** `channel_data` with claims, for a member or for nobody. */
export function granted(claims: unknown, member: object = {}): object {
  return { ...member, countersign: claims };
}

/** A client that says it understands what Countersign adds to the protocol. */
export function connectCapable(broker: Pick<Broker, 'url'>): Promise<TestClient> {
  return open(broker, `/app/${APP.key}?protocol=7&client=test&version=1.0&countersign=1`).established();
}

/** A frame with its data, both parsed. */
export function read(received: Received): {
  event: string;
  channel?: string;
  data: never;
  expires_at?: number;
} {
  if (typeof received !== 'string') throw new Error(`Closed: ${received.code} ${received.reason}`);
  const frame = JSON.parse(received);
  return { ...frame, data: typeof frame.data === 'string' ? JSON.parse(frame.data) : frame.data };
}
