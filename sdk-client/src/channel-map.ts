import type { AnyEvents, Channel } from './channel.ts';
import type { PresenceChannel } from './presence.ts';

/**
 * Where an app declares nothing: any channel, any event, data of unknown type. To a helper that takes any client, one with
 * declared channels is such a client.
 *
 * An app's own map has channel names (or patterns such as `private-room-${string}`) as keys, and for each an
 * object with event names as keys and the types of their data as values.
 */
// biome-ignore lint/suspicious/noExplicitAny: of the type of a map only this one takes every other for its own
export type AnyChannels = any;

/** The names that a map allows. */
export type ChannelName<ChannelMap extends object> = keyof ChannelMap & string;

/** The events that a map declares for a channel. */
export type EventsOf<ChannelMap extends object, Name extends ChannelName<ChannelMap>> = 0 extends 1 &
  ChannelMap[Name]
  ? AnyEvents
  : ChannelMap[Name];

/** The channel that `subscribe` answers for a name. */
export type ChannelOf<ChannelMap extends object, Name extends ChannelName<ChannelMap>> =
  EventsOf<ChannelMap, Name> extends infer Events extends object
    ? Name extends `presence-${string}`
      ? PresenceChannel<Events>
      : Channel<Events>
    : never;
