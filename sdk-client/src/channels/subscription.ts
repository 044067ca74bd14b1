/** What components are told of a subscription. */

import type { Countersign } from '../client.ts';
import type { Channel } from './channel.ts';
import { follow, type NoName, type Store } from './followed-channel.ts';
import type { SubscriptionError } from './subscription-error.ts';

/**
 * How far a subscription is.
 *
 * - `idle`: there is no name, no client, or the component is not mounted
 * - `subscribing`: the client subscribes as soon as it can, or tries again after a failure that `error` tells
 * - `subscribed`: the broker has confirmed it
 * - `failed`: for good, or until somebody subscribes again; `error` tells why
 */
export type SubscriptionStatus = 'idle' | 'subscribing' | 'subscribed' | 'failed';

/** A subscription of a component. The object changes when its content changes, and only then. */
export interface Subscription<Subscribed = Channel> {
  /** `undefined` while it is idle. */
  readonly channel: Subscribed | undefined;
  readonly status: SubscriptionStatus;
  /** The last failure; null when there was none since the last success. */
  readonly error: SubscriptionError | null;
}

const IDLE: Subscription = { channel: undefined, status: 'idle', error: null };

export function idle(): Subscription {
  return IDLE;
}

/** How far the subscription of a channel is, and its last failure. */
export function statusOf({ status, error }: Channel): Pick<Subscription, 'status' | 'error'> {
  const hasFailed = status === 'refused';
  const isPending = status === 'pending' || status === 'expired';
  return { status: hasFailed ? 'failed' : isPending ? 'subscribing' : 'subscribed', error: error ?? null };
}

export function subscriptionStore(client: Countersign | null, name: string | NoName): Store<Subscription> {
  let current = IDLE;
  /** What a component may show of the channel; it differs whenever that differs. */
  let shown = '';
  return {
    snapshot: () => current,
    subscribe(onChange) {
      const end = follow(client, name, [], (channel) => {
        const { status, expiresAt, error } = channel;
        const text = `${status} ${expiresAt}`;
        if (current.channel === channel && text === shown && current.error === (error ?? null)) return;
        shown = text;
        current = { channel, ...statusOf(channel) };
        onChange();
      });
      return () => {
        end();
        current = IDLE;
      };
    },
  };
}
