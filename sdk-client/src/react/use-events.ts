/** Hooks that hear events. */
import { useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { AnyEvents } from '../channels/channel-events.ts';
import type { NoName, Store } from '../channels/followed-channel.ts';
import type { Countersign } from '../client.ts';
import type { Listener } from '../emitter.ts';
import { useCountersign } from './provider.ts';
import { SharedChannels } from './shared-channels.ts';

/**
 * What {@link useEvents} keeps.
 *
 * @example
 * ```tsx
 * const options: EventsOptions = { limit: 10 };
 * ```
 */
export interface EventsOptions {
  /** The most events that are kept, a whole number from 1; older ones are dropped. @default 100 */
  readonly limit?: number | undefined;
}

const LIMIT = 100;
const NONE: readonly unknown[] = [];

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
  useEffect(
    () => hear(client, name, event, (data, metadata) => latest.current(data, metadata)),
    [client, name, event],
  );
}

/**
 * Returns the data of the last events of this name, the oldest first, and renders again for each. It subscribes like
 * {@link useChannel}; events from before that are not among them.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Log() {
 *   const lines = useEvents('private-room-7', 'message', { limit: 20 });
 *   return <p>{lines.map(String).join()}</p>;
 * }
 * ```
 */
export function useEvents(
  name: string | NoName,
  event: string,
  { limit = LIMIT }: EventsOptions = {},
): readonly unknown[] {
  if (!Number.isInteger(limit) || limit < 1) throw new RangeError('limit is a whole number from 1');
  const client = useCountersign();
  const store = useMemo(() => eventStore(client, name, event, limit), [client, name, event, limit]);
  return useSyncExternalStore(store.subscribe, store.snapshot, none);
}

/**
 * Returns the data of the last event of this name; `undefined` before the first. It subscribes like {@link useChannel}; a
 * `cache-` channel begins with the event that the broker has kept.
 *
 * @throws Error without a provider
 * @example
 * ```tsx
 * function Price() {
 *   const price = useLatest('cache-prices', 'changed');
 *   return <p>{price === undefined ? 'Loading' : String(price)}</p>;
 * }
 * ```
 */
export function useLatest(name: string | NoName, event: string): unknown {
  return useEvents(name, event, ONE)[0];
}

const ONE: EventsOptions = { limit: 1 };

function hear(
  client: Countersign | null,
  name: string | NoName,
  event: string,
  listener: Listener<AnyEvents[string]>,
): () => void {
  if (!client || !name) return () => {};
  const { channel, release } = SharedChannels.of(client).use(name);
  const stop = channel.on(event, listener);
  return () => {
    stop();
    release();
  };
}

function eventStore(
  client: Countersign | null,
  name: string | NoName,
  event: string,
  limit: number,
): Store<readonly unknown[]> {
  let current = NONE;
  return {
    snapshot: () => current,
    subscribe: (onChange) =>
      hear(client, name, event, (data) => {
        current = [...current, data].slice(-limit);
        onChange();
      }),
  };
}

function none(): readonly unknown[] {
  return NONE;
}
