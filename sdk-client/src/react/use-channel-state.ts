/** A hook for a state that events change. */
import { useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { NoName } from '../channels/followed-channel.ts';
import { useCountersign } from './provider.ts';
import { type Reducer, stateStore } from './state-store.ts';

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

function nothing(): undefined {}
