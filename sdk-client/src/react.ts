'use client';

/**
 * Hooks for React 18 and later. They do nothing on a server and without a channel name; strict mode and concurrent
 * rendering are supported.
 */
export type { NoName } from './channels/followed-channel.ts';
export type { Subscription, SubscriptionStatus } from './channels/subscription.ts';
export { type Hooks, hooksFor } from './react/hooks.ts';
export { CountersignProvider, useConnectionState, useCountersign } from './react/provider.ts';
export type { Reducer } from './react/state-store.ts';
export { useChannel, useSubscription } from './react/use-channel.ts';
export { useChannelState } from './react/use-channel-state.ts';
export { type EventsOptions, useEvent, useEvents, useLatest } from './react/use-events.ts';
export { type Presence, usePresence } from './react/use-presence.ts';
export { type SignedInUser, useUser } from './react/use-user.ts';
