import type { App } from '../../apps/app.ts';
import type { KeyCounts } from '../../apps/keys/key-usage.ts';
import type { Metrics } from '../../metrics.ts';
import type { Recovery } from '../../protocol/frames.ts';

/** What one node has counted of an app since it started. */
export interface AppStats {
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly publishes: number;
  readonly refusals: number;
  /** Clients that came back with a position, by what they got. */
  readonly recoveries: Readonly<Record<Recovery['status'], number>>;
  readonly keys: readonly KeyStats[];
}

/** The valid signatures of one key; without counts if it has signed nothing. */
export type KeyStats = { readonly key: string } & Partial<KeyCounts>;

/** @param now Unix milliseconds */
export function statsOf(app: App, metrics: Metrics, now: number): AppStats {
  const { connections, channels, subscriptions, messagesIn, messagesOut, publishes, refusals, recoveries } =
    metrics.app(app.id);
  const recovered = (status: Recovery['status']) => recoveries.get(status) ?? 0;
  return {
    connections,
    channels,
    subscriptions: sum(Object.values(subscriptions)),
    messagesIn,
    messagesOut,
    publishes: sum(publishes.values()),
    refusals: sum(refusals.values()),
    recoveries: {
      current: recovered('current'),
      replayed: recovered('replayed'),
      lost: recovered('lost'),
    },
    keys: app.keys.map((key) => ({ key, ...app.keyUses.of(key, now) })),
  };
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
