import { WebhookError } from './errors.ts';
import { isRecord } from './json.ts';

/** What Countersign tells of each event; other brokers of the protocol tell none of it. */
interface Origin {
  /** The same however often the event arrives. */
  readonly id?: string;
  /** When it happened, in milliseconds since 1970. */
  readonly at?: number;
  /** Counts the events of the app; a webhook that is sent some kinds only sees gaps. */
  readonly seq?: number;
  /** Changes where `seq` begins anew: at each start of a broker without a data directory. */
  readonly epoch?: string;
  /** The connection that caused it. */
  readonly socket_id?: string;
  /** Why, where somebody was removed. */
  readonly reason?: string;
}

/** A channel has its first subscription, has lost its last one, or had nothing to show to a subscriber. */
export interface ChannelEvent extends Origin {
  readonly name: 'channel_occupied' | 'channel_vacated' | 'cache_miss';
  readonly channel: string;
}

/** A user came to a presence channel with his first connection, or left with his last. */
export interface MemberEvent extends Origin {
  readonly name: 'member_added' | 'member_removed';
  readonly channel: string;
  readonly user_id: string;
}

/** A client published. */
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

/** A user signed in on his first connection, or has lost his last. */
export interface UserEvent extends Origin {
  readonly name: 'user_online' | 'user_offline';
  /** The one on which the server reaches the user. */
  readonly channel: string;
  readonly user_id: string;
}

/** Nothing happened: somebody wants to see a webhook work. */
export interface TestEvent extends Origin {
  readonly name: 'test';
  readonly channel: '';
}

/** What the broker tells; `name` tells which. */
export type WebhookEvent =
  | ChannelEvent
  | MemberEvent
  | ClientEvent
  | SubscriptionCountEvent
  | UserEvent
  | TestEvent;

/** The body of a webhook. */
export interface WebhookData {
  /** When it was sent, in milliseconds since 1970. */
  readonly time_ms: number;
  readonly events: readonly WebhookEvent[];
}

/** Reads the body of a webhook. @throws WebhookError `malformed` */
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

/** Numbers that Countersign writes as texts, for libraries that read events as maps of texts. */
const NUMBERS = ['at', 'seq'] as const;

/** Reads an event as a broker writes it. @throws WebhookError `malformed` */
export function readWebhookEvent(written: { readonly name: string }): WebhookEvent {
  const event: Record<string, unknown> = { ...written };
  for (const name of NUMBERS) {
    const value = event[name];
    if (value === undefined) continue;
    const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (!Number.isSafeInteger(number)) {
      throw new WebhookError('malformed', `"${name}" of an event must be a whole number, as a text`);
    }
    event[name] = number;
  }
  return event as unknown as WebhookEvent;
}

/** Checks what all events have in common; events whose names are newer than this package pass. */
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
