/** The client of the components below a provider. */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useMemo,
  useSyncExternalStore,
} from 'react';
import type { AnyChannels } from '../channels/channel-map.ts';
import type { Countersign } from '../client.ts';
import type { ConnectionState } from '../connection/connection.ts';

const Context = createContext<Countersign | null | undefined>(undefined);

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

function nothing(): void {}

function initialized(): ConnectionState {
  return 'initialized';
}
