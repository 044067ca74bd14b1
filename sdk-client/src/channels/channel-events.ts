import type { SubscriptionError } from './subscription-error.ts';

/** Events of the protocol on every channel. */
export interface ChannelEvents {
  'pusher:subscription_succeeded': unknown;
  'pusher:subscription_error': SubscriptionError;
  'pusher:subscription_count': { readonly subscription_count: number };
  'pusher:cache_miss': unknown;
  /** The client has renewed the grant. `expires_at` is in Unix seconds, or null if the grant does not end. */
  'countersign:grant_renewed': { readonly expires_at: number | null };
  /** The client came back and has got all that it missed: `count` events, which may be none. */
  'countersign:recovered': { readonly count: number };
  /** The client came back, and what it missed is lost. */
  'countersign:recovery_lost': { readonly code?: string };
  /** What {@link Channel.load} has loaded. The events after it follow. */
  'countersign:state': unknown;
  'countersign:state_error': { readonly error: unknown; readonly retryIn: number };
  'pusher:decryption_error': { readonly event: string; readonly message: string };
}

/** Event names and data of a channel for which the app declared none. */
export type AnyEvents = Record<string, unknown>;

/**
 * What became of a subscription.
 *
 * - `pending`: the client subscribes as soon as it can
 * - `subscribed`: the broker has confirmed it
 * - `expired`: its grant ended before the client could renew it; the client asks for another one
 * - `refused`: for good, or until the app subscribes again
 */
export type ChannelStatus = 'pending' | 'subscribed' | 'expired' | 'refused';
