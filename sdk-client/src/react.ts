'use client';

/**
 * Hooks for React 18 and later. They do nothing on a server and without a channel name; strict mode and concurrent
 * rendering are supported.
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
import { type Reducer, stateStore } from './state-store.ts';

export type { Reducer };

/** The members of a presence channel. The object changes when its content changes, and only then. */
export interface Presence<Info = unknown> {
  /** In no particular order; empty while the channel is not subscribed. */
  readonly members: readonly Member<Info>[];
  /** This client's user; null while the channel is not subscribed. */
  readonly me: Member<Info> | null;
  /** Whether the broker has confirmed the subscription on the current connection. */
  readonly isSubscribed: boolean;
}

/** Values for a component that has no channel yet: the hook does nothing. */
export type NoName = null | undefined | '';

/** The hooks, typed by an app's channel map. */
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
  useChannelState<Name extends ChannelName<ChannelMap>, State>(
    name: Name | NoName,
    load: () => Promise<State> | State,
    reduce: Reducer<State>,
  ): State | undefined;
  usePresence<Name extends ChannelName<ChannelMap> & `presence-${string}`>(
    name: Name | NoName,
  ): Presence<MemberInfo<EventsOf<ChannelMap, Name>>>;
}

const Context = createContext<Countersign | null | undefined>(undefined);
const EMPTY: Presence = { members: [], me: null, isSubscribed: false };

/**
 * Provides a client to the components below. The app creates and disconnects the client; on a server, pass null.
 *
 * @example
 * ```tsx
 * const page = (
 *   <CountersignProvider client={client}>
 *     <main />
 *   </CountersignProvider>
 * );
 * ```
 */
export function CountersignProvider<ChannelMap extends object = AnyChannels>({
  client,
  children,
}: {
  readonly client: Countersign<ChannelMap> | null;
  readonly children?: ReactNode;
}): ReactElement {
  return createElement(Context.Provider, { value: client as Countersign | null }, children);
}

/**
 * Returns the client of the provider above; null on a server.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function SignOut() {
 *   const client = useCountersign();
 *   return <button onClick={() => client?.disconnect()}>Sign out</button>;
 * }
 * ```
 */
export function useCountersign(): Countersign | null {
  const client = useContext(Context);
  if (client === undefined) throw new Error('There is no CountersignProvider above this component');
  return client;
}

/**
 * Returns the state of the connection, and renders again when it changes; `initialized` on a server.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Offline() {
 *   return useConnectionState() === 'unavailable' ? <p>You are offline</p> : null;
 * }
 * ```
 */
export function useConnectionState(): ConnectionState {
  const client = useCountersign();
  const subscribe = useMemo(
    () => (onChange: () => void) => client?.connection.on('state_change', onChange) ?? nothing,
    [client],
  );
  return useSyncExternalStore(subscribe, () => client?.connection.state ?? 'initialized', initialized);
}

/**
 * Returns a channel, subscribed while any component uses it and for one second after the last; `undefined` without a
 * name, on a server, and until the component is mounted. The app's own `subscribe` counts as one more use. The component
 * renders again when the `status` or `expiresAt` of the channel changes.
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
  const client = useCountersign();
  const store = useMemo(() => channelStore(client, name), [client, name]);
  useSyncExternalStore(store.subscribe, store.snapshot, nothing);
  return store.channel();
}

/**
 * Calls `listener` once for each event of this name, in order. It subscribes like {@link useChannel}.
 *
 * It calls the listener of the last committed render. Several events can arrive before the next render, so set a state
 * that depends on the previous one by a function.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Messages() {
 *   const [messages, setMessages] = useState<string[]>([]);
 *   useEvent('private-room-7', 'message', ({ text }: { text: string }) =>
 *     setMessages((messages) => [...messages, text]),
 *   );
 *   return <p>{messages.join()}</p>;
 * }
 * ```
 */
export function useEvent(name: string | NoName, event: string, listener: Listener<AnyEvents[string]>): void {
  const client = useCountersign();
  const latest = useRef(listener);
  // During the commit: an effect would run some time after it.
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

/**
 * Returns a state that the events of a channel change; `undefined` until it is loaded. It subscribes like {@link useChannel},
 * calls `load`, and then `reduce` for each event that came after the subscription. It loads again whenever events may be
 * missing. A failed load is tried again; the channel emits `countersign:state_error`.
 *
 * It calls the functions of the last committed render.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Messages() {
 *   const messages = useChannelState(
 *     'private-room-7',
 *     async (): Promise<string[]> => (await fetch('/rooms/7/messages')).json(),
 *     (messages, { event, data }) => (event === 'message' ? [...messages, String(data)] : messages),
 *   );
 *   return <p>{messages?.join() ?? 'Loading'}</p>;
 * }
 * ```
 */
export function useChannelState<State>(
  name: string | NoName,
  load: () => Promise<State> | State,
  reduce: Reducer<State>,
): State | undefined {
  const client = useCountersign();
  const latest = useRef({ load, reduce });
  useInsertionEffect(() => {
    latest.current = { load, reduce };
  });
  const store = useMemo(() => stateStore<State>(client, name, () => latest.current), [client, name]);
  return useSyncExternalStore(store.subscribe, store.snapshot, nothing);
}

/**
 * Returns the members of a presence channel, and renders again when they change. It subscribes like {@link useChannel}.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Lobby() {
 *   const { members, me, isSubscribed } = usePresence('presence-lobby');
 *   return <p>{isSubscribed ? `${me?.id} and ${members.length - 1} others` : 'Joining'}</p>;
 * }
 * ```
 */
export function usePresence(name: `presence-${string}` | NoName): Presence {
  const client = useCountersign();
  const store = useMemo(() => presenceStore(client, name), [client, name]);
  return useSyncExternalStore(store.subscribe, store.snapshot, empty);
}

/**
 * Returns all hooks, typed by an app's channel map.
 *
 * @example
 * ```tsx
 * interface Channels {
 *   news: { published: { title: string } };
 * }
 * const { useEvent } = hooksFor<Channels>();
 * function Title() {
 *   useEvent('news', 'published', ({ title }) => console.log(title));
 *   return null;
 * }
 * ```
 */
export function hooksFor<ChannelMap extends object>(): Hooks<ChannelMap> {
  const hooks = { useCountersign, useConnectionState, useChannel, useEvent, useChannelState, usePresence };
  return hooks as unknown as Hooks<ChannelMap>;
}

interface ChannelStore {
  subscribe(onChange: () => void): () => void;
  channel(): Channel | undefined;
  /** What components show of the channel, as text that differs whenever that differs. */
  snapshot(): string | undefined;
}

function channelStore(client: Countersign | null, name: string | NoName): ChannelStore {
  let channel: Channel | undefined;
  return {
    channel: () => channel,
    snapshot: () => channel && `${channel.status} ${channel.expiresAt}`,
    subscribe(onChange) {
      if (!client || !name) return nothing;
      const use = SharedChannels.of(client).use(name);
      channel = use.channel;
      const undo = [
        channel.on('pusher:subscription_succeeded', onChange),
        channel.on('pusher:subscription_error', onChange),
        channel.on('countersign:grant_renewed', onChange),
        // A lost connection ends the subscription without an event of the channel.
        client.connection.on('state_change', onChange),
        use.release,
      ];
      return () => {
        channel = undefined;
        for (const end of undo) end();
      };
    },
  };
}

interface PresenceStore {
  subscribe(onChange: () => void): () => void;
  snapshot(): Presence;
}

function presenceStore(client: Countersign | null, name: string | NoName): PresenceStore {
  let current = EMPTY;
  return {
    snapshot: () => current,
    subscribe(onChange) {
      if (!client || !name) return nothing;
      const use = SharedChannels.of(client).use(name);
      const channel = use.channel as unknown as PresenceChannel;
      const update = (): void => {
        current = presenceOf(channel);
        onChange();
      };
      const undo = [
        channel.on('pusher:subscription_succeeded', update),
        channel.on('pusher:subscription_error', update),
        channel.on('pusher:member_added', update),
        channel.on('pusher:member_removed', update),
        // The members are gone when the connection is lost, without an event of the channel.
        client.connection.on('state_change', update),
        use.release,
      ];
      update();
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

function empty(): Presence {
  return EMPTY;
}

function initialized(): ConnectionState {
  return 'initialized';
}
