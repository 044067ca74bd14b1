import { InDoubt, Unavailable } from '../errors.ts';

/**
 * Waits for publishes that were asked for together.
 *
 * @throws Unavailable if none was made
 * @throws InDoubt if some were made and others not, or there is no telling
 */
export async function publishAll(publishes: readonly Promise<void>[]): Promise<void> {
  const [first] = publishes;
  if (publishes.length === 1) return first;
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
