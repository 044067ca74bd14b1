import { NO_PEAKS, NO_SUMS, type Peaks, type Sums } from './figures.ts';

/** What happened in an app in a minute, and is written nowhere yet. */
export interface Waiting {
  sums: Sums;
  peaks: Peaks;
  isIncomplete: boolean;
}

/** Minutes of apps that wait while nothing can be written; beyond it minutes of an app are put together. */
const MOST = 20_000;

/** What waits to be written, by app and minute. */
export class WaitingMinutes {
  readonly #apps = new Map<string, Map<number, Waiting>>();
  readonly #onBound: () => void;
  #size = 0;
  #isBounded = false;

  /** @param onBound is told once when there is no room for another minute */
  constructor(onBound: () => void) {
    this.#onBound = onBound;
  }

  get size(): number {
    return this.#size;
  }

  /** What waits of a minute, to be added to. */
  of(app: string, minute: number): Waiting {
    let minutes = this.#apps.get(app);
    if (!minutes) {
      minutes = new Map();
      this.#apps.set(app, minutes);
    }
    let waiting = minutes.get(minute);
    if (!waiting && this.#size >= MOST) {
      waiting = [...minutes.values()].at(-1);
      if (!this.#isBounded) this.#onBound();
      this.#isBounded = true;
    }
    if (!waiting) {
      waiting = { sums: NO_SUMS, peaks: NO_PEAKS, isIncomplete: false };
      minutes.set(minute, waiting);
      this.#size += 1;
    }
    return waiting;
  }

  minutesOf(app: string): ReadonlyMap<number, Waiting> {
    return this.#apps.get(app) ?? new Map();
  }

  /** Whether something waits from before a time, in Unix milliseconds. */
  hasBefore(time: number): boolean {
    for (const minutes of this.#apps.values())
      for (const minute of minutes.keys()) if (minute < time) return true;
    return false;
  }

  /** Takes so many minutes out. */
  take(most: number): (Waiting & { readonly app: string; readonly minute: number })[] {
    const taken: (Waiting & { readonly app: string; readonly minute: number })[] = [];
    for (const [app, minutes] of this.#apps) {
      for (const [minute, waiting] of minutes) {
        if (taken.length === most) return taken;
        taken.push({ app, minute, ...waiting });
        minutes.delete(minute);
        this.#size -= 1;
      }
      this.#apps.delete(app);
    }
    this.#isBounded = false;
    return taken;
  }
}
