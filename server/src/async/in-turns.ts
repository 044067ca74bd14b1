import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of one turn of the loop. */
const TURN_MS = 10;
const SLICE = 50;

/**
 * Does something for all items, a slice at a time. What takes too long for one turn of the loop goes on in the next ones,
 * so that everything else of the process goes on as well. The first turn is this one.
 */
export async function inTurns<Item>(
  items: readonly Item[],
  each: (slice: readonly Item[]) => void,
): Promise<void> {
  let turnEnds = performance.now() + TURN_MS;
  for (let from = 0; from < items.length; from += SLICE) {
    if (performance.now() >= turnEnds) {
      await nextTurn();
      turnEnds = performance.now() + TURN_MS;
    }
    each(items.slice(from, from + SLICE));
  }
}
