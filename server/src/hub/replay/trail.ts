import type { Position } from '../../history/history.ts';

/** Milliseconds of a stretch. */
const STRETCH_MS = 1000;
/** Beyond it, two stretches become one: the older they are, the longer. */
const MAX_STRETCHES = 64;

/** Events that were delivered within a short time. */
interface Stretch {
  /** When the first one was delivered, by the monotonic clock. */
  readonly from: number;
  until: number;
  /** The position of the last one. */
  last: Position;
}

/** A position, and when it was that of the newest event. */
export interface Place {
  readonly at: number;
  readonly position: Position;
}

/** At which position the history of a channel was at which time, as this process delivered it. */
export class Trail {
  #stretches: Stretch[] = [];

  /** The position of the last event that was delivered. */
  get newest(): Position | undefined {
    return this.#stretches.at(-1)?.last;
  }

  /** An event is delivered now. */
  note(position: Position, now: number): void {
    const newest = this.#stretches.at(-1);
    if (newest && now - newest.from < STRETCH_MS) {
      newest.until = now;
      newest.last = position;
      return;
    }
    this.#stretches.push({ from: now, until: now, last: position });
    if (this.#stretches.length > MAX_STRETCHES) this.#stretches = merged(this.#stretches);
  }

  /** A position after which everything comes that was delivered since a time, and none that is older than the start. */
  positionAt(time: number, start: Place): Position {
    const index = this.#stretches.findLastIndex(({ from }) => from < time);
    const reached = this.#stretches[index];
    const before = reached && reached.until < time ? reached : this.#stretches[index - 1];
    return before && time >= start.at && before.until >= start.at ? before.last : start.position;
  }
}

/** Every two stretches as one. */
function merged(stretches: readonly Stretch[]): Stretch[] {
  return stretches.flatMap((stretch, index) => {
    if (index % 2 === 1) return [];
    const { until, last } = stretches[index + 1] ?? stretch;
    return [{ from: stretch.from, until, last }];
  });
}
