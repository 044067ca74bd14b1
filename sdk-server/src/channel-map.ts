/**
 * Where an app declares nothing: any channel, any event, data of any type.
 *
 * An app's own map has channel names (or patterns such as `private-room-${string}`) as keys, and for each an object
 * with event names as keys and the types of their data as values. Backend and page can share it.
 */
// biome-ignore lint/suspicious/noExplicitAny: where anything is expected, a client of declared channels will do.
export type AnyChannels = any;

/** The names that a map allows. */
export type ChannelName<ChannelMap extends object> = keyof ChannelMap & string;

/** The events that a backend publishes to a channel: all that are declared but those of clients and of the SDKs. */
export type EventName<ChannelMap extends object, Name extends ChannelName<ChannelMap>> = Exclude<
  keyof ChannelMap[Name] & string,
  `client-${string}` | `pusher:${string}`
>;

/** The data of an event. Where it goes to several channels, it must be what each of them declares. */
export type EventData<
  ChannelMap extends object,
  Name extends ChannelName<ChannelMap>,
  Event extends EventName<ChannelMap, Name>,
> = (Name extends unknown ? (data: ChannelMap[Name][Event]) => void : never) extends (
  data: infer Data,
) => void
  ? Data
  : never;
