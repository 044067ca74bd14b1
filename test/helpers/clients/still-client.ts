import type { Countersign, CountersignOptions } from '@countersign/sdk-client';
import { ManualClock } from './client-clock.ts';
import { nextEvent, startClient } from './client-start.ts';
import { type FakeEndpoint, type Peer, startEndpoint } from './fake-endpoint.ts';

/** A connected client whose time stands still. */
export async function stillClient(
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
