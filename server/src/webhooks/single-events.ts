/** Webhook events of what happens once: it has no counterpart, such as a departure, so no ledger remembers it. */
import type { DomainEvent } from '../adapter/journal.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../adapter/topic.ts';
import type { AppStore } from '../apps/app.ts';
import type { WebhookEventName } from '../apps/hook.ts';
import { type Edge, hooksFor } from './announced.ts';
import { type EventParts, newEvent } from './event.ts';
import type { Change } from './outbox/outbox.ts';

type SingleEvent = Exclude<DomainEvent, Edge>;
type QuotaWarning = Extract<DomainEvent, { kind: 'quotaWarning' }>;

/** No channel begins like this. */
const QUOTA_LANE = '#quota';

/**
 * What to deliver; `undefined` if no hook is configured for it.
 *
 * @param at Unix milliseconds at which it happened
 */
export function changeOfSingle(apps: AppStore, happening: SingleEvent, at: number): Change | undefined {
  const announce = (topic: Topic, name: WebhookEventName, parts: EventParts = {}): Change | undefined => {
    const appId = appOfTopic(topic);
    const channel = channelOfTopic(topic);
    const hooks = hooksFor(apps, appId, name, channel);
    if (hooks.length === 0) return undefined;
    return { appId, lane: channel, hooks, event: newEvent(at, name, channel, parts) };
  };
  switch (happening.kind) {
    case 'clientEvent': {
      const { topic, name: event, data, userId, socketId, traceparent } = happening;
      const parts = { event, data, user_id: userId, socket_id: socketId, traceparent };
      return announce(topic, 'client_event', parts);
    }
    case 'grantExpired': {
      const { topic, userId, grantId, socketId } = happening;
      const parts = { user_id: userId, grant_id: grantId, socket_id: socketId, reason: 'expired' };
      return announce(topic, 'grant_expired', parts);
    }
    case 'grantRevoked': {
      const { topic, userId, grantId, socketId, reason } = happening;
      const parts = { user_id: userId, grant_id: grantId, socket_id: socketId, reason };
      return announce(topic, 'grant_revoked', parts);
    }
    case 'cacheMiss':
      return announce(happening.topic, 'cache_miss');
    case 'subscriptionCount':
      return announce(happening.topic, 'subscription_count', { subscription_count: happening.count });
    case 'quotaWarning':
      return warningOf(apps, happening, at);
  }
}

function warningOf(
  apps: AppStore,
  { appId, quota, limit, used, ratio, resetsAt }: QuotaWarning,
  at: number,
): Change | undefined {
  const hooks = hooksFor(apps, appId, 'quota_warning', undefined);
  if (hooks.length === 0) return undefined;
  const event = newEvent(at, 'quota_warning', '', { quota, limit, used, ratio, resets_at: resetsAt });
  return { appId, lane: QUOTA_LANE, hooks, event };
}
