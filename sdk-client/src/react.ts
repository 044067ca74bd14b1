'use client';

/**
 * Hooks for React 18 and later. They do nothing on a server and without a name, and mind neither strict mode nor being
 * called together.
 */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useInsertionEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from 'react';
import type { AnyEvents, Channel } from './channel.ts';
import type { AnyChannels, ChannelName, ChannelOf, EventsOf } from './channel-map.ts';
import type { Countersign } from './client.ts';
import type { ConnectionState } from './connection.ts';
import type { Listener } from './emitter.ts';
import type { Member, MemberInfo, PresenceChannel } from './presence.ts';
import { SharedChannels } from './shared-channels.ts';

/** Who is in a presence channel. Another object after each change, and the same one until then. */
export interface Presence<Info = unknown> {
  /** In no particular order; none while the channel is not subscribed. */
  readonly members: readonly Member<Info>[];
  /** This client's user; null while the channel is not subscribed. */
  readonly me: Member<Info> | null;
  /** Whether the broker has confirmed the subscription on the present connection. */
  readonly isSubscribed: boolean;
}

/** A component that does not know yet which channel it wants gives one of these, and gets nothing. */
export type NoName = null | undefined | '';

/** The hooks, checked against an app's declaration of its channels. */
export interface Hooks<ChannelMap extends object> {
  useCountersign(): Countersign<ChannelMap> | null;
  useConnectionState(): ConnectionState;
  useChannel<Name extends ChannelName<ChannelMap>>(
    name: Name | NoName,
  ): ChannelOf<ChannelMap, Name> | undefined;
  useEvent<Name extends ChannelName<ChannelMap>, Event extends keyof EventsOf<ChannelMap, Name> & string>(
    name: Name | NoName,
    event: Event,
    listener: Listener<EventsOf<ChannelMap, Name>[Event]>,
  ): void;
  usePresence<Name extends ChannelName<ChannelMap> & `presence-${string}`>(
    name: Name | NoName,
  ): Presence<MemberInfo<EventsOf<ChannelMap, Name>>>;
}

const Context = createContext<Countersign | null | undefined>(undefined);
const NOBODY: Presence = { members: [], me: null, isSubscribed: false };

/** Gives a client to everything below. It is the app that makes and disconnects it; on a server there is none: null. */
export function CountersignProvider<ChannelMap extends object = AnyChannels>({
  client,
  children,
}: {
  readonly client: Countersign<ChannelMap> | null;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(Context.Provider, { value: client as Countersign | null }, children);
}

/** The client of the provider above; null on a server. @throws Error without a provider */
export function useCountersign(): Countersign | null {
  const client = useContext(Context);
  if (client === undefined) throw new Error('There is no CountersignProvider above this component');
  return client;
}

/** The state of the connection; `initialized` on a server. */
export function useConnectionState(): ConnectionState {
  const client = useCountersign();
  const subscribe = useMemo(
    () => (onChange: () => void) => client?.connection.on('state_change', onChange) ?? nothing,
    [client],
  );
  return useSyncExternalStore(subscribe, () => client?.connection.state ?? 'initialized', initialized);
}

/**
 * The channel of this name, subscribed while any component uses it, and for a second more. `undefined` without a name, on
 * a server, and until the component is mounted. What the app itself subscribes to is one more use, which it ends itself.
 */
export function useChannel(name: string | NoName): Channel | undefined {
  const client = useCountersign();
  const subscribe = useMemo(
    () => () => (client && name ? SharedChannels.of(client).use(name).release : nothing),
    [client, name],
  );
  return useSyncExternalStore(subscribe, () => (name ? client?.channel(name) : undefined), nothing);
}

/**
 * Calls `listener` once at each event of this name, in order. Subscribes as {@link useChannel}.
 *
 * It is the listener of the last render that React has committed. Several events can come before the next one, and each
 * of them finds the same listener: a state that depends on the one before must be set by a function,
 * `setMessages((messages) => [...messages, text])`.
 */
export function useEvent(name: string | NoName, event: string, listener: Listener<AnyEvents[string]>): void {
  const client = useCountersign();
  const latest = useRef(listener);
  // With the commit, and not some time after it as an effect.
  useInsertionEffect(() => {
    latest.current = listener;
  });
  useEffect(() => {
    if (!client || !name) return undefined;
    const { channel, release } = SharedChannels.of(client).use(name);
    const unbind = channel.on(event, (data, metadata) => latest.current(data, metadata));
    return () => {
      unbind();
      release();
    };
  }, [client, name, event]);
}

/** Who is in a presence channel. Subscribes as {@link useChannel}. */
export function usePresence(name: `presence-${string}` | NoName): Presence {
  const client = useCountersign();
  const store = useMemo(() => presenceStore(client, name), [client, name]);
  return useSyncExternalStore(store.subscribe, store.snapshot, nobody);
}

/** The hooks, typed by an app's declaration of its channels. */
export function hooksFor<ChannelMap extends object>(): Hooks<ChannelMap> {
  const hooks = { useCountersign, useConnectionState, useChannel, useEvent, usePresence };
  return hooks as unknown as Hooks<ChannelMap>;
}

interface PresenceStore {
  subscribe(onChange: () => void): () => void;
  snapshot(): Presence;
}

function presenceStore(client: Countersign | null, name: string | NoName): PresenceStore {
  let present = NOBODY;
  return {
    snapshot: () => present,
    subscribe(onChange) {
      if (!client || !name) return nothing;
      const use = SharedChannels.of(client).use(name);
      const channel = use.channel as unknown as PresenceChannel;
      const look = (): void => {
        present = presenceOf(channel);
        onChange();
      };
      const undo = [
        channel.on('pusher:subscription_succeeded', look),
        channel.on('pusher:subscription_error', look),
        channel.on('pusher:member_added', look),
        channel.on('pusher:member_removed', look),
        // Without a connection there are no members, and no event of the channel says so.
        client.connection.on('state_change', look),
        use.release,
      ];
      look();
      return () => {
        for (const end of undo) end();
      };
    },
  };
}

function presenceOf({ members, subscribed }: PresenceChannel): Presence {
  const all: Member[] = [];
  members.each((member) => all.push(member));
  return { members: all, me: members.me, isSubscribed: subscribed };
}

function nothing(): undefined {}

function nobody(): Presence {
  return NOBODY;
}

function initialized(): ConnectionState {
  return 'initialized';
}
