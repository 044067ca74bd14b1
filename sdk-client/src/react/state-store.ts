import type { Countersign } from '../client.ts';
import { EXTENSION, isReserved } from '../connection/protocol.ts';
import type { GlobalListener } from '../emitter.ts';
import { SharedChannels } from './shared-channels.ts';

/** Returns the state after an event. An event that came during the load may be in the state already. */
export type Reducer<State> = (
  state: State,
  event: { readonly event: string; readonly data: unknown },
) => State;

interface StateStore<State> {
  subscribe(onChange: () => void): () => void;
  snapshot(): State | undefined;
}

/** The state of a channel for components: subscribed, loaded and followed while one of them shows it. */
export function stateStore<State>(
  client: Countersign | null,
  name: string | null | undefined,
  latest: () => { load: () => Promise<State> | State; reduce: Reducer<State> },
): StateStore<State> {
  let current: State | undefined;
  return {
    snapshot: () => current,
    subscribe(onChange) {
      if (!client || !name) return () => {};
      const { channel, release } = SharedChannels.of(client).use(name);
      const set = (state: State): void => {
        current = state;
        onChange();
      };
      const state = channel.stateLoad(() => latest().load(), set);
      const listener: GlobalListener = (event, data) => {
        if (isReserved(event) || event.startsWith(EXTENSION)) return;
        state.take(() => {
          if (current !== undefined) set(latest().reduce(current, { event, data }));
        });
      };
      channel.bind_global(listener);
      const unbind = channel.on('pusher:subscription_succeeded', () => {
        if (!channel.isRecovered || current === undefined) state.begin();
      });
      if (channel.subscribed) state.begin();
      return () => {
        unbind();
        channel.unbind_global(listener);
        current = undefined;
        state.end();
        release();
      };
    },
  };
}
