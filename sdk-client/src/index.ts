export type {
  ChannelAuthorization,
  ChannelGrant,
  ChannelRequest,
  UserAuthentication,
  UserGrant,
  UserRequest,
} from './auth.ts';
export type { ReconnectOptions } from './backoff.ts';
export type { AnyEvents, Channel, ChannelEvents, SubscriptionError } from './channel.ts';
export type { AnyChannels, ChannelName, ChannelOf } from './channel-map.ts';
export type { Encryption } from './channels.ts';
export { type ClientEvents, Countersign } from './client.ts';
export type { Clock } from './clock.ts';
export type { Connection, ConnectionError, ConnectionEvents, ConnectionState } from './connection.ts';
export type { AuthOptions } from './credentials.ts';
export type { Emitter, GlobalListener, Listener, Metadata } from './emitter.ts';
export { CountersignError, type ErrorCode } from './errors.ts';
export type { CountersignOptions } from './options.ts';
export type { Fetch, WebSocketConstructor, WebSocketLike } from './platform.ts';
export type { Member, MemberInfo, Members, PresenceChannel, PresenceEvents } from './presence.ts';
export type { User, UserData, UserEvents, WatchlistEvent, WatchlistEvents } from './user.ts';
