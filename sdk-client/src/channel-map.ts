import type { AnyEvents, Channel } from './channel.ts';
import type { PresenceChannel } from './presence.ts';

/**
 * Where an app declares nothing: any channel, any event, data of unknown type.
 *
 * An app's own map has channel names (or patterns such as `private-room-${string}`) as keys, and for each an
 * object with event names as keys and the types of their data as values.
 */
export type AnyChannels = Record<string, AnyEvents>;

/** The names that a map allows. */
export type ChannelName<ChannelMap extends object> = keyof ChannelMap & string;

/** The channel that `subscribe` answers for a name. */
export type ChannelOf<
  ChannelMap extends object,
  Name extends ChannelName<ChannelMap>,
> = ChannelMap[Name] extends object
  ? Name extends `presence-${string}`
    ? PresenceChannel<ChannelMap[Name]>
    : Channel<ChannelMap[Name]>
  : never;
