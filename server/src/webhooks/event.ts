import { randomUUID } from 'node:crypto';
import type { WebhookEventName } from '../apps/hook.ts';

/** What happened, as receivers read it. `seq`, and `epoch` where there is one, join it when it is committed. */
export interface WebhookEvent {
  /** `test` is what somebody asked for who wants to see a hook work. */
  readonly name: WebhookEventName | 'test';
  readonly channel?: string;
  readonly user_id?: string;
  /** Of a client event. */
  readonly event?: string;
  /** Of a client event: the text as it came. */
  readonly data?: string;
  readonly subscription_count?: number;
  /** The connection that caused it. */
  readonly socket_id?: string;
  readonly reason?: string;
  /** The same however often the event arrives. */
  readonly id: string;
  /** Unix milliseconds at which it happened. */
  readonly at: number;
}

/** What an event tells beside its name; parts that are `undefined` are left out. */
export type EventParts = {
  readonly [Part in Exclude<keyof WebhookEvent, 'name' | 'id' | 'at'>]?: WebhookEvent[Part] | undefined;
};

/** @param at Unix milliseconds at which it happened */
export function newEvent(at: number, name: WebhookEvent['name'], parts: EventParts = {}): WebhookEvent {
  const given = Object.entries(parts).filter(([, value]) => value !== undefined);
  return { name, ...Object.fromEntries(given), id: randomUUID(), at };
}
