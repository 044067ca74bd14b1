/**
 * The channel map of an app that declares none: any channel, any event, data of any type.
 *
 * An app's own map has channel names (or patterns such as `private-room-${string}`) as keys. Each value is an object with
 * event names as keys and the types of their data as values. Backend and page can share the map.
 */
// biome-ignore lint/suspicious/noExplicitAny: every channel map must be assignable to this one
export type AnyChannels = any;

/** The channel names of a map. */
export type ChannelName<ChannelMap extends object> = keyof ChannelMap & string;

/** The events that a backend can publish to a channel: all declared ones except client events and events of the protocol. */
export type EventName<ChannelMap extends object, Name extends ChannelName<ChannelMap>> = Exclude<
  keyof ChannelMap[Name] & string,
  `client-${string}` | `pusher:${string}`
>;

/** The data of an event. For several channels, it must have the type that each of them declares. */
export type EventData<
  ChannelMap extends object,
  Name extends ChannelName<ChannelMap>,
  Event extends EventName<ChannelMap, Name>,
> = (Name extends unknown ? (data: ChannelMap[Name][Event]) => void : never) extends (
  data: infer Data,
) => void
  ? Data
  : never;
