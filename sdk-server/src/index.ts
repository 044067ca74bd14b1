/// <reference types="node" preserve="true" />

export type { ChannelGrant, PresenceMember, UserData, UserGrant } from './auth/grant.ts';
export type { GrantedAction, GrantOptions, SignInOptions } from './auth/grant-claims.ts';
export type {
  BatchAnswer,
  ChannelAnswer,
  ChannelAttributes,
  ChannelsAnswer,
  ChannelsQuery,
  MembersAnswer,
  TriggerAnswer,
  UserAnswer,
  UserConnection,
  UsersAnswer,
  UsersQuery,
} from './broker/broker-answers.ts';
export type { BatchEvent, TriggerParams } from './broker/event.ts';
export type { Expulsion, Removal } from './broker/removal.ts';
export type {
  AccessAnswer,
  AccessQuery,
  PageQuery,
  Revocation,
  RevocationAnswer,
  RevocationsAnswer,
  RevocationTarget,
} from './broker/revocation.ts';
export type { AnyChannels, ChannelName, EventData, EventName } from './channel-map.ts';
export { Countersign } from './client.ts';
export {
  ArgumentError,
  type ArgumentErrorCode,
  CountersignError,
  type ErrorCode,
  NetworkError,
  RequestError,
  type RequestErrorCode,
  TimeoutError,
  WebhookError,
  type WebhookErrorCode,
} from './errors.ts';
export type { JsonObject } from './json.ts';
export type { CountersignOptions, Limits, Token } from './options.ts';
export {
  isChannelName,
  isSocketId,
  isUserId,
  sign,
  userChannel,
  verify,
} from './signature.ts';
export { VERSION } from './version.ts';
export type {
  ChannelEvent,
  ClientEvent,
  MemberEvent,
  SubscriptionCountEvent,
  TestEvent,
  UserEvent,
  WebhookData,
  WebhookEvent,
} from './webhooks/event.ts';
export { WebhookReceiver } from './webhooks/receiver.ts';
export type { LambdaEvent, WebhookHeaders, WebhookParts, WebhookRequest } from './webhooks/request.ts';
export type { WebhookKeySet, WebhookKeys } from './webhooks/signature.ts';
export { type VerifyOptions, Webhook } from './webhooks/webhook.ts';
export type {
  DeliveriesAnswer,
  DeliveriesQuery,
  Delivery,
  DeliveryAttempt,
  DeliveryState,
  EventsAnswer,
  HookState,
  HookStatus,
  Webhooks,
  WhichDeliveries,
} from './webhooks/webhooks.ts';
