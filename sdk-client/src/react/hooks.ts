/** All hooks, typed by an app's channel map. */
import type { ChannelName, ChannelOf, EventsOf } from '../channels/channel-map.ts';
import type { NoName } from '../channels/followed-channel.ts';
import type { MemberInfo } from '../channels/presence.ts';
import type { Subscription } from '../channels/subscription.ts';
import type { Countersign } from '../client.ts';
import type { ConnectionState } from '../connection/connection.ts';
import type { Listener } from '../emitter.ts';
import { useConnectionState, useCountersign } from './provider.ts';
import type { Reducer } from './state-store.ts';
import { useChannel, useSubscription } from './use-channel.ts';
import { useChannelState } from './use-channel-state.ts';
import { type EventsOptions, useEvent, useEvents, useLatest } from './use-events.ts';
import { type Presence, usePresence } from './use-presence.ts';
import { type SignedInUser, useUser } from './use-user.ts';

/** The names of events that a map declares for one channel. */
type EventName<ChannelMap extends object, Name extends ChannelName<ChannelMap>> = keyof EventsOf<
  ChannelMap,
  Name
> &
  string;

/** The presence that a map declares for one channel. */
type PresenceOf<ChannelMap extends object, Name extends ChannelName<ChannelMap>> = Presence<
  MemberInfo<EventsOf<ChannelMap, Name>>
>;

/** The hooks, typed by an app's channel map. */
export interface Hooks<ChannelMap extends object> {
  useCountersign(): Countersign<ChannelMap> | null;
  useConnectionState(): ConnectionState;
  useUser(): SignedInUser;
  useChannel<Name extends ChannelName<ChannelMap>>(
    name: Name | NoName,
  ): ChannelOf<ChannelMap, Name> | undefined;
  useSubscription<Name extends ChannelName<ChannelMap>>(
    name: Name | NoName,
  ): Subscription<ChannelOf<ChannelMap, Name>>;
  useEvent<Name extends ChannelName<ChannelMap>, Event extends EventName<ChannelMap, Name>>(
    name: Name | NoName,
    event: Event,
    listener: Listener<EventsOf<ChannelMap, Name>[Event]>,
  ): void;
  useEvents<Name extends ChannelName<ChannelMap>, Event extends EventName<ChannelMap, Name>>(
    name: Name | NoName,
    event: Event,
    options?: EventsOptions,
  ): readonly EventsOf<ChannelMap, Name>[Event][];
  useLatest<Name extends ChannelName<ChannelMap>, Event extends EventName<ChannelMap, Name>>(
    name: Name | NoName,
    event: Event,
  ): EventsOf<ChannelMap, Name>[Event] | undefined;
  useChannelState<Name extends ChannelName<ChannelMap>, State>(
    name: Name | NoName,
    load: () => Promise<State> | State,
    reduce: Reducer<State>,
  ): State | undefined;
  usePresence<
    Name extends ChannelName<ChannelMap> & `presence-${string}`,
    Selected = PresenceOf<ChannelMap, Name>,
  >(name: Name | NoName, select?: (presence: PresenceOf<ChannelMap, Name>) => Selected): Selected;
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
  const hooks = {
    useCountersign,
    useConnectionState,
    useUser,
    useChannel,
    useSubscription,
    useEvent,
    useEvents,
    useLatest,
    useChannelState,
    usePresence,
  };
  return hooks as unknown as Hooks<ChannelMap>;
}
