import { InDoubt, Unavailable } from '../errors.ts';

/**
 * Waits for several publishes of one request.
 *
 * @param publishes anything but a promise for one that has succeeded already
 * @returns `undefined` if all are
 * @throws Unavailable if all failed without effect
 * @throws InDoubt if only some succeeded, or the outcome of one is unknown
 */
export function publishAll(publishes: readonly unknown[]): Promise<unknown> | undefined {
  const waiting = publishes.find((publish) => publish instanceof Promise);
  return waiting && publishes.length > 1 ? settle(publishes) : waiting;
}

async function settle(publishes: readonly unknown[]): Promise<void> {
  const results = await Promise.allSettled(publishes);
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  if (failures.length === 0) return;
  const worse = failures.find((reason) => !(reason instanceof Unavailable) || reason instanceof InDoubt);
  if (worse || failures.length === publishes.length) throw worse ?? failures[0];
  const made = publishes.length - failures.length;
  throw new InDoubt(`Published to ${made} of ${publishes.length} channels`, { cause: failures[0] });
}
