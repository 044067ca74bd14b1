import { randomUUID } from 'node:crypto';
import type { WebhookEventName } from '../apps/hook.ts';

/**
 * An event as receivers read it. The commit adds `seq`, and `epoch` where there is one. Some official libraries read
 * events as maps of strings that have a `channel`, so all numbers but the count and those of quotas are
 * strings.
 */
export interface WebhookEvent {
  /** `test` is an event that somebody requested to try a hook. */
  readonly name: WebhookEventName | 'test';
  /** Empty if the event has none. */
  readonly channel: string;
  readonly user_id?: string;
  /** Of a client event. */
  readonly event?: string;
  /** Of a client event: the text as it came. */
  readonly data?: string;
  /** Of a client event: the `traceparent` that its client gave. */
  readonly traceparent?: string;
  readonly subscription_count?: number;
  /** The id in the claims of a grant. */
  readonly grant_id?: string;
  /** The connection that caused it. */
  readonly socket_id?: string;
  readonly reason?: string;
  /** The name of the limit that is a quota, its value, what is used of it, and the ratio of both. */
  readonly quota?: string;
  readonly limit?: number;
  readonly used?: number;
  readonly ratio?: number;
  /** Unix seconds at which the next period of a quota begins. */
  readonly resets_at?: number;
  /** The same in every delivery of the event. */
  readonly id: string;
  /** Unix milliseconds at which it happened. */
  readonly at: string;
}

/** The fields of an event beside its name; fields that are `undefined` are left out. */
export type EventParts = {
  readonly [Part in Exclude<keyof WebhookEvent, 'name' | 'channel' | 'id' | 'at'>]?:
    | WebhookEvent[Part]
    | undefined;
};

/** @param at Unix milliseconds at which it happened */
export function newEvent(
  at: number,
  name: WebhookEvent['name'],
  channel: string,
  parts: EventParts = {},
): WebhookEvent {
  const given = Object.entries(parts).filter(([, value]) => value !== undefined);
  return { name, channel, ...Object.fromEntries(given), id: randomUUID(), at: String(at) };
}

/** An event as JSON, once it is committed. */
export function committedEvent(event: WebhookEvent, seq: number, epoch?: string): string {
  return JSON.stringify({ ...event, seq: String(seq), epoch });
}
