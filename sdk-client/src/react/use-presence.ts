/** A hook for the members of a presence channel. */
import { useMemo, useRef, useSyncExternalStore } from 'react';
import { follow, type NoName, type Store } from '../channels/followed-channel.ts';
import type { Member, PresenceChannel } from '../channels/presence.ts';
import { type Subscription, statusOf } from '../channels/subscription.ts';
import type { Countersign } from '../client.ts';
import { useCountersign } from './provider.ts';

/** The members of a presence channel. The object changes when its content changes, and only then. */
export interface Presence<Info = unknown> extends Pick<Subscription, 'status' | 'error'> {
  /** In no particular order; empty while the channel is not subscribed. */
  readonly members: readonly Member<Info>[];
  /** This client's user; null while the channel is not subscribed. */
  readonly me: Member<Info> | null;
  /** Whether the broker has confirmed the subscription on the current connection. */
  readonly isSubscribed: boolean;
}

const EMPTY: Presence = { members: [], me: null, isSubscribed: false, status: 'idle', error: null };
const OF_MEMBERS = ['pusher:member_added', 'pusher:member_removed'] as const;

/**
 * Returns the members of a presence channel, and renders again when they change. It subscribes like {@link useChannel}.
 *
 * With `select` it returns what that returns of them, and renders again only when that is another value: another primitive, or
 * an object or array with other entries.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Lobby() {
 *   const { members, me, status, error } = usePresence('presence-lobby');
 *   if (status === 'failed') return <p>{error?.message}</p>;
 *   return <p>{status === 'subscribed' ? `${me?.id} and ${members.length - 1} others` : 'Joining'}</p>;
 * }
 * function Count() {
 *   return <p>{usePresence('presence-lobby', ({ members }) => members.length)} are here</p>;
 * }
 * ```
 */
export function usePresence<Selected = Presence>(
  name: `presence-${string}` | NoName,
  select: (presence: Presence) => Selected = whole as (presence: Presence) => Selected,
): Selected {
  const client = useCountersign();
  const store = useMemo(() => presenceStore(client, name), [client, name]);
  const last = useRef<Selection<Selected>>(undefined);
  const selected = (): Selected => {
    last.current = selection(store.snapshot(), select, last.current);
    return last.current.value;
  };
  return useSyncExternalStore(store.subscribe, selected, () => select(EMPTY));
}

interface Selection<Selected> {
  readonly presence: Presence;
  readonly select: (presence: Presence) => Selected;
  readonly value: Selected;
}

/** Calls `select` only for another presence or by another function, and keeps a value that is equal. */
function selection<Selected>(
  presence: Presence,
  select: (presence: Presence) => Selected,
  last: Selection<Selected> | undefined,
): Selection<Selected> {
  if (last?.presence === presence && last.select === select) return last;
  const value = select(presence);
  return { presence, select, value: last && isEqual(last.value, value) ? last.value : value };
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  const entries = Object.entries(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    entries.length === Object.keys(b).length &&
    entries.every(([name, value]) => Object.is(value, Reflect.get(b, name)))
  );
}

function whole(presence: Presence): unknown {
  return presence;
}

function presenceStore(client: Countersign | null, name: string | NoName): Store<Presence> {
  let current = EMPTY;
  return {
    snapshot: () => current,
    subscribe: (onChange) =>
      follow(client, name, OF_MEMBERS, (channel) => {
        current = presenceOf(channel as unknown as PresenceChannel);
        onChange();
      }),
  };
}

function presenceOf(channel: PresenceChannel): Presence {
  const { members, subscribed } = channel;
  const all: Member[] = [];
  members.each((member) => all.push(member));
  return { members: all, me: members.me, isSubscribed: subscribed, ...statusOf(channel) };
}
