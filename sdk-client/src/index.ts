export type { ChannelAuthorization, UserAuthentication } from './auth/auth.ts';
export type { AuthOptions } from './auth/credentials.ts';
export type { ChannelGrant, ChannelRequest, TokenSource, UserGrant, UserRequest } from './auth/grants.ts';
export type { User, UserData, UserEvents, WatchlistEvent, WatchlistEvents } from './auth/user.ts';
export type { Published } from './channels/acknowledgements.ts';
export type { Channel } from './channels/channel.ts';
export type { AnyEvents, ChannelEvents, ChannelStatus } from './channels/channel-events.ts';
export type { AnyChannels, ChannelName, ChannelOf } from './channels/channel-map.ts';
export type { Member, MemberInfo, Members, PresenceChannel, PresenceEvents } from './channels/presence.ts';
export type { SubscriptionError } from './channels/subscription-error.ts';
export { type ClientEvents, Countersign } from './client.ts';
export type { ReconnectOptions } from './connection/backoff.ts';
export type { Clock } from './connection/clock.ts';
export type {
  Connection,
  ConnectionError,
  ConnectionEvents,
  ConnectionState,
} from './connection/connection.ts';
export type { Emitter, GlobalListener, Listener, Metadata } from './emitter.ts';
export type { Encryption } from './encryption/encryption.ts';
export { CountersignError, type EndpointFailure, type ErrorCode } from './errors.ts';
export type { LogLevel } from './log.ts';
export type { CountersignOptions } from './options.ts';
export type { Fetch, WebSocketConstructor, WebSocketLike } from './platform.ts';
export { VERSION } from './version.ts';
