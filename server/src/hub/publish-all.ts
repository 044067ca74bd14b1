import { InDoubt, Unavailable } from '../errors.ts';

/**
 * Waits for several publishes of one request.
 *
 * @param publishes `undefined` for one that has succeeded already
 * @returns `undefined` if all are
 * @throws Unavailable if all failed without effect
 * @throws InDoubt if only some succeeded, or the outcome of one is unknown
 */
export function publishAll(
  publishes: readonly (Promise<unknown> | undefined)[],
): Promise<unknown> | undefined {
  if (publishes.every((publish) => publish === undefined)) return undefined;
  return publishes.length === 1 ? publishes[0] : settle(publishes);
}

async function settle(publishes: readonly (Promise<unknown> | undefined)[]): Promise<void> {
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
