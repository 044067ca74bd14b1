import { WebhookError } from '../errors.ts';
import { isRecord } from '../json.ts';

/** Fields that Countersign adds to each event; other brokers of the protocol send none of them. */
interface Origin {
  /** Id of the event, the same for every delivery. */
  readonly id?: string;
  /** When it happened, in milliseconds since 1970. */
  readonly at?: number;
  /** Number of the event in its app; a hook that receives some kinds of events only sees gaps. */
  readonly seq?: number;
  /** Changes when `seq` restarts: at each start of a broker without a data directory. */
  readonly epoch?: string;
  /** The connection that caused the event. */
  readonly socket_id?: string;
  /** The reason, if a user was removed. */
  readonly reason?: string;
}

/** A channel got its first subscription, lost its last one, or had no kept event for a subscriber. */
export interface ChannelEvent extends Origin {
  readonly name: 'channel_occupied' | 'channel_vacated' | 'cache_miss';
  readonly channel: string;
}

/** A user joined a presence channel with their first connection, or left with their last. */
export interface MemberEvent extends Origin {
  readonly name: 'member_added' | 'member_removed';
  readonly channel: string;
  readonly user_id: string;
}

/** A client published a client event. */
export interface ClientEvent extends Origin {
  readonly name: 'client_event';
  readonly channel: string;
  readonly event: string;
  /** The text that the client sent, usually JSON. */
  readonly data: string;
  readonly socket_id: string;
  /** On presence channels only. */
  readonly user_id?: string;
}

/** The number of subscribed connections changed. */
export interface SubscriptionCountEvent extends Origin {
  readonly name: 'subscription_count';
  readonly channel: string;
  readonly subscription_count: number;
}

/** A user signed in on their first connection, or lost their last. */
export interface UserEvent extends Origin {
  readonly name: 'user_online' | 'user_offline';
  /** `#server-to-user-ID`. */
  readonly channel: string;
  readonly user_id: string;
}

/** A grant has ended or was taken back, or the sign-in of a user has ended: then `channel` is `#server-to-user-ID`. */
export interface GrantEvent extends Origin {
  readonly name: 'grant_expired' | 'grant_revoked';
  readonly channel: string;
  readonly socket_id: string;
  /** If the broker knows the user. */
  readonly user_id?: string;
  /** The `id` of the grant, if it has one. */
  readonly grant_id?: string;
}

/** An app has used most of a quota. */
export interface QuotaEvent extends Origin {
  readonly name: 'quota_warning';
  readonly channel: '';
  readonly quota: 'messagesPerDay' | 'connectionMinutesPerMonth';
  readonly limit: number;
  readonly used: number;
  /** `used` as a part of `limit`. */
  readonly ratio: number;
  /** When the next period of the quota begins, in seconds since 1970. */
  readonly resets_at: number;
}

/** A test delivery that was requested by an operator. */
export interface TestEvent extends Origin {
  readonly name: 'test';
  readonly channel: '';
}

/** An event of a webhook; `name` discriminates. */
export type WebhookEvent =
  | ChannelEvent
  | MemberEvent
  | ClientEvent
  | SubscriptionCountEvent
  | UserEvent
  | GrantEvent
  | QuotaEvent
  | TestEvent;

/** The body of a webhook. */
export interface WebhookData {
  /** When the webhook was sent, in milliseconds since 1970. */
  readonly time_ms: number;
  readonly events: readonly WebhookEvent[];
}

/** Parses the body of a webhook. @throws WebhookError `malformed` */
export function parseWebhook(body: string | Uint8Array): WebhookData {
  let data: unknown;
  try {
    const text = typeof body === 'string' ? body : new TextDecoder('utf-8', { fatal: true }).decode(body);
    data = JSON.parse(text);
  } catch (cause) {
    throw new WebhookError('malformed', 'The body is not JSON', { cause });
  }
  if (!isWebhookData(data)) {
    throw new WebhookError('malformed', 'The body must be { time_ms: integer, events: [{ name }] }');
  }
  return { ...data, events: data.events.map(readWebhookEvent) };
}

/** Numbers that Countersign sends as strings, for libraries that read events as maps of strings. */
const NUMBERS = ['at', 'seq'] as const;

/** Parses one event. @throws WebhookError `malformed` */
export function readWebhookEvent(written: { readonly name: string }): WebhookEvent {
  const event: Record<string, unknown> = { ...written };
  for (const name of NUMBERS) {
    const value = event[name];
    if (value === undefined) continue;
    const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (!Number.isSafeInteger(number)) {
      throw new WebhookError('malformed', `"${name}" of an event must be a whole number, as a string`);
    }
    event[name] = number;
  }
  return event as unknown as WebhookEvent;
}

/** Checks the fields that all events have; unknown event names are accepted. */
function isWebhookData(
  data: unknown,
): data is { time_ms: number; events: readonly { readonly name: string }[] } {
  return (
    isRecord(data) &&
    Number.isSafeInteger(data['time_ms']) &&
    Array.isArray(data['events']) &&
    data['events'].every((event) => isRecord(event) && typeof event['name'] === 'string')
  );
}
