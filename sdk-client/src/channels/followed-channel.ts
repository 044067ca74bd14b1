/** A channel as components follow it. */

import type { Countersign } from '../client.ts';
import { SharedChannels } from '../react/shared-channels.ts';
import type { Channel } from './channel.ts';

/** What `useSyncExternalStore` reads. */
export interface Store<Snapshot> {
  subscribe(onChange: () => void): () => void;
  snapshot(): Snapshot;
}

/** Values for a component that has no channel yet: the hook does nothing. */
export type NoName = null | undefined | '';

/** Events after which the status of a subscription is another one. */
const OF_STATUS = [
  'pusher:subscription_succeeded',
  'pusher:subscription_error',
  'countersign:grant_renewed',
] as const;

/**
 * Subscribes for a component, and calls `changed` at once and after each change. Components follow quietly: the client still
 * warns in the console of a subscription that fails, because a component may show nothing of it.
 *
 * @param events further events of the channel that change what the component shows
 */
export function follow(
  client: Countersign | null,
  name: string | NoName,
  events: readonly string[],
  changed: (channel: Channel) => void,
): () => void {
  if (!client || !name) return () => {};
  const { channel, release } = SharedChannels.of(client).use(name);
  const watched = new Set<string>([...OF_STATUS, ...events]);
  const update = (): void => changed(channel);
  const ends = [
    channel.onAny((event) => {
      if (watched.has(event)) update();
    }),
    // A lost connection ends the subscription without an event of the channel.
    client.connection.on('state_change', update),
    release,
  ];
  update();
  return () => {
    for (const end of ends) end();
  };
}
