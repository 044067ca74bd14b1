import type { App } from '../../apps/app.ts';
import type { KeyCounts } from '../../apps/keys/key-usage.ts';
import type { Metrics } from '../../metrics.ts';

/** What one node has counted of an app since it started. */
export interface AppStats {
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly publishes: number;
  readonly refusals: number;
  readonly keys: readonly KeyStats[];
}

/** The valid signatures of one key; without counts if it has signed nothing. */
export type KeyStats = { readonly key: string } & Partial<KeyCounts>;

/** @param now Unix milliseconds */
export function statsOf(app: App, metrics: Metrics, now: number): AppStats {
  const { connections, channels, subscriptions, messagesIn, messagesOut, publishes, refusals } = metrics.app(
    app.id,
  );
  return {
    connections,
    channels,
    subscriptions: sum(Object.values(subscriptions)),
    messagesIn,
    messagesOut,
    publishes: sum(publishes.values()),
    refusals: sum(refusals.values()),
    keys: app.keys.map((key) => ({ key, ...app.keyUses.of(key, now) })),
  };
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
