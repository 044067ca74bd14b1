'use client';

/**
 * Hooks for React 18 and later. They do nothing on a server and without a channel name; strict mode and concurrent
 * rendering are supported.
 */
export type { NoName } from './followed-channel.ts';
export { type Hooks, hooksFor } from './hooks.ts';
export { CountersignProvider, useConnectionState, useCountersign } from './provider.ts';
export type { Reducer } from './state-store.ts';
export type { Subscription, SubscriptionStatus } from './subscription.ts';
export { useChannel, useSubscription } from './use-channel.ts';
export { useChannelState } from './use-channel-state.ts';
export { type EventsOptions, useEvent, useEvents, useLatest } from './use-events.ts';
export { type Presence, usePresence } from './use-presence.ts';
export { type SignedInUser, useUser } from './use-user.ts';
