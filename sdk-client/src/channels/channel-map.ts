import type { Channel } from './channel.ts';
import type { AnyEvents } from './channel-events.ts';
import type { PresenceChannel } from './presence.ts';

/**
 * The channel map of an app that declares none: any channel, any event, data of unknown type. A client with declared
 * channels is assignable to a client with this map.
 *
 * An app's own map has channel names (or patterns such as `private-room-${string}`) as keys. Each value is an object
 * with event names as keys and the types of their data as values.
 *
 * @example
 * ```ts
 * interface Channels {
 *   news: { published: { title: string } };
 *   [room: `private-room-${string}`]: { message: { text: string } };
 * }
 * new Countersign<Channels>('key-1', { host: 'channels.example.com' }).subscribe('news');
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: every channel map must be assignable to this one
export type AnyChannels = any;

/** The channel names of a map. */
export type ChannelName<ChannelMap extends object> = keyof ChannelMap & string;

/** The events that a map declares for one channel. */
export type EventsOf<ChannelMap extends object, Name extends ChannelName<ChannelMap>> = 0 extends 1 &
  ChannelMap[Name]
  ? AnyEvents
  : ChannelMap[Name];

/** The type of the channel that `subscribe` returns for a name. */
export type ChannelOf<ChannelMap extends object, Name extends ChannelName<ChannelMap>> =
  EventsOf<ChannelMap, Name> extends infer Events extends object
    ? Name extends `presence-${string}`
      ? PresenceChannel<Events>
      : Channel<Events>
    : never;
