import type { App } from '../../apps/app.ts';
import { type Diagnosis, diagnosis } from './diagnosis.ts';
import type { Claim, RecentNames } from './guesses.ts';

/** A refused proof that waits for its diagnosis. */
export interface Case {
  readonly claim: Claim;
  readonly auth: unknown;
  /** Is called with the diagnosis, or with nothing if too many proofs wait. */
  readonly onDone: (diagnosis: Diagnosis | undefined) => void;
}

/** Cases accepted per second, and waiting at a time; each is at most as large as one frame. */
const MAX_PER_SECOND = 10;
const MAX_WAITING = 10;
/** Milliseconds of work at a time, and of rest after it: clients wait no longer, and get nine tenths of the time. */
const SLICE_MS = 2;
const REST_MS = 18;

/** Diagnoses refused proofs of one app in the background, one after the other. */
export class Examiner {
  readonly #app: App;
  readonly #recentNames: () => RecentNames;
  readonly #waiting: Case[] = [];
  #current: { readonly steps: Generator<void, Diagnosis>; readonly of: Case } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #accepted = 0;

  /** @param recentNames names that the backend of the app has seen lately */
  constructor(app: App, recentNames: () => RecentNames) {
    this.#app = app;
    this.#recentNames = recentNames;
  }

  /** Adds a case. */
  examine(examined: Case): void {
    if (this.#accepted >= MAX_PER_SECOND || this.#waiting.length >= MAX_WAITING)
      return examined.onDone(undefined);
    this.#accepted += 1;
    this.#waiting.push(examined);
    this.#rest();
  }

  /** Starts another second. */
  renew(): void {
    this.#accepted = 0;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
    this.#current = undefined;
  }

  #rest(): void {
    this.#timer ??= setTimeout(() => this.#work(), REST_MS).unref();
  }

  #work(): void {
    this.#timer = undefined;
    const until = performance.now() + SLICE_MS;
    while (performance.now() < until) {
      this.#current ??= this.#next();
      if (!this.#current) return;
      const { steps, of } = this.#current;
      const step = steps.next();
      if (!step.done) continue;
      this.#current = undefined;
      of.onDone(step.value);
    }
    this.#rest();
  }

  #next() {
    const of = this.#waiting.shift();
    return of && { of, steps: diagnosis(this.#app, of.claim, of.auth, this.#recentNames()) };
  }
}
