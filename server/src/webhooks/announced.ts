import type { DomainEvent } from '../adapter/journal.ts';
import { appOfTopic, channelOfTopic } from '../adapter/topic.ts';
import type { AppStore } from '../apps/app.ts';
import type { Hook, WebhookEventName } from '../apps/hook.ts';
import type { Announced } from './outbox/outbox.ts';

/** Webhook event names of domain events that have no counterpart. */
const EVENTS = {
  clientEvent: 'client_event',
  cacheMiss: 'cache_miss',
  subscriptionCount: 'subscription_count',
  grantExpired: 'grant_expired',
  grantRevoked: 'grant_revoked',
  quotaWarning: 'quota_warning',
} as const;

/** An arrival or a departure. */
export type Edge = Exclude<DomainEvent, { kind: keyof typeof EVENTS }>;

/** The webhook event names of an arrival and of its departure. */
export interface Sides {
  readonly added: WebhookEventName;
  readonly removed: WebhookEventName;
}

const CHANNEL: Sides = { added: 'channel_occupied', removed: 'channel_vacated' };
const MEMBER: Sides = { added: 'member_added', removed: 'member_removed' };
const USER: Sides = { added: 'user_online', removed: 'user_offline' };

/** The hooks of an app that are configured for an event; `channel` is `undefined` if the event has none. */
export function hooksFor(
  apps: AppStore,
  appId: string,
  name: WebhookEventName,
  channel: string | undefined,
): readonly Hook[] {
  const hooks = apps.byId(appId)?.hooks;
  return hooks ? hooks.filter((hook) => hook.wants(name, channel)) : [];
}

export function isEdge(happening: DomainEvent): happening is Edge {
  return !Object.hasOwn(EVENTS, happening.kind);
}

/** Whether any hook is configured for an event or its counterpart. */
export function isWanted(apps: AppStore, happening: DomainEvent): boolean {
  if (isEdge(happening)) return isAnybodysBusiness(apps, announcedBy(happening));
  const name = EVENTS[happening.kind];
  if (happening.kind === 'quotaWarning') return hooksFor(apps, happening.appId, name, undefined).length > 0;
  return hooksFor(apps, appOfTopic(happening.topic), name, channelOfTopic(happening.topic)).length > 0;
}

/** Whether any hook is configured for the arrival or the departure. */
export function isAnybodysBusiness(apps: AppStore, told: Announced): boolean {
  const { added, removed } = eventNamesOf(told);
  return [added, removed].some(
    (name) => hooksFor(apps, told.appId, name, told.channel || undefined).length > 0,
  );
}

export function announcedBy(edge: Edge): Announced {
  switch (edge.kind) {
    case 'userOnline':
    case 'userOffline':
      return { appId: edge.appId, channel: '', userId: edge.userId };
    case 'occupied':
    case 'vacated':
      return { appId: appOfTopic(edge.topic), channel: channelOfTopic(edge.topic), userId: '' };
    case 'memberAdded':
    case 'memberRemoved':
      return { appId: appOfTopic(edge.topic), channel: channelOfTopic(edge.topic), userId: edge.userId };
  }
}

export function eventNamesOf({ channel, userId }: Announced): Sides {
  if (channel === '') return USER;
  return userId === '' ? CHANNEL : MEMBER;
}

/** Users and channels cannot be mistaken for each other, since no channel begins like this. */
export function laneOf({ channel, userId }: Announced): string {
  return channel === '' ? `#user-${userId}` : channel;
}

/** The id of a user may hold any text, so it stands last. */
export function keyOf({ appId, channel, userId }: Announced): string {
  return `${appId}:${channel}:${userId}`;
}
