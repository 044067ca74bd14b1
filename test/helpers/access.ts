import { Access } from '#server/access/access';
import type { Adapter } from '#server/adapter/adapter';

/** Access on an adapter, with the clocks of this process. */
export function accessFor({ counters }: Adapter): Access {
  return new Access({ counters, now: Date.now, monotonic: () => performance.now() });
}
