import type { App } from '../apps/app.ts';
import type { Metrics } from '../metrics.ts';

/**
 * What this node has counted of an app since it started.
 *
 * @param now Unix milliseconds
 */
export function statsOf(app: App, metrics: Metrics, now: number): object {
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
