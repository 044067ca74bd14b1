/** Hooks that subscribe. */
import { useMemo, useSyncExternalStore } from 'react';
import type { Channel } from '../channels/channel.ts';
import type { NoName } from '../channels/followed-channel.ts';
import { idle, type Subscription, subscriptionStore } from '../channels/subscription.ts';
import { useCountersign } from './provider.ts';

/**
 * Returns a channel, subscribed while any component uses it and for one second after the last; `undefined` without a
 * name, on a server, and until the component is mounted. The app's own `subscribe` counts as one more use. The component
 * renders again when the `status`, `expiresAt` or `error` of the channel changes.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Typing({ room }: { room: string | null }) {
 *   const channel = useChannel(room);
 *   if (channel?.status === 'expired') return <p>Your access has ended</p>;
 *   return <input onInput={() => channel?.trigger('client-typing', {})} />;
 * }
 * ```
 */
export function useChannel(name: string | NoName): Channel | undefined {
  return useSubscription(name).channel;
}

/**
 * Returns a channel with how far its subscription is and why it failed. It subscribes like {@link useChannel}.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Room({ name }: { name: string | null }) {
 *   const { channel, status, error } = useSubscription(name);
 *   if (status === 'failed') return <p>You cannot join: {error?.message}</p>;
 *   if (status !== 'subscribed') return <p>Joining</p>;
 *   return <button onClick={() => channel?.trigger('client-wave', {})}>Wave</button>;
 * }
 * ```
 */
export function useSubscription(name: string | NoName): Subscription {
  const client = useCountersign();
  const store = useMemo(() => subscriptionStore(client, name), [client, name]);
  return useSyncExternalStore(store.subscribe, store.snapshot, idle);
}
