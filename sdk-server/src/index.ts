/// <reference types="node" preserve="true" />
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
} from './broker-answers.ts';
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
export type { BatchEvent, TriggerParams } from './event.ts';
export type { ChannelGrant, PresenceMember, UserData, UserGrant } from './grant.ts';
export type { GrantedAction, GrantOptions, SignInOptions } from './grant-claims.ts';
export type { JsonObject } from './json.ts';
export type { CountersignOptions, Limits, Token } from './options.ts';
export type { Expulsion, Removal } from './removal.ts';
export type {
  AccessAnswer,
  AccessQuery,
  PageQuery,
  Revocation,
  RevocationAnswer,
  RevocationsAnswer,
  RevocationTarget,
} from './revocation.ts';
export {
  isChannelName,
  isSocketId,
  isUserId,
  sign,
  userChannel,
  verify,
} from './signature.ts';
export { VERSION } from './version.ts';
export { type VerifyOptions, Webhook } from './webhook.ts';
export type {
  ChannelEvent,
  ClientEvent,
  MemberEvent,
  SubscriptionCountEvent,
  TestEvent,
  UserEvent,
  WebhookData,
  WebhookEvent,
} from './webhook-event.ts';
export { WebhookReceiver } from './webhook-receiver.ts';
export type { LambdaEvent, WebhookHeaders, WebhookParts, WebhookRequest } from './webhook-request.ts';
export type { WebhookKeySet, WebhookKeys } from './webhook-signature.ts';
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
} from './webhooks.ts';
