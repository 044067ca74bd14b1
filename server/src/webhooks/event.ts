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

/** Makes an event of its parts; those that are `undefined` are left out. */
export function newEvent(
  at: number,
  {
    name,
    ...parts
  }: { readonly [Part in Exclude<keyof WebhookEvent, 'id' | 'at'>]?: WebhookEvent[Part] | undefined } & Pick<
    WebhookEvent,
    'name'
  >,
): WebhookEvent {
  const given = Object.entries(parts).filter(([, value]) => value !== undefined);
  return { name, ...Object.fromEntries(given), id: randomUUID(), at };
}
