import type { App } from '../../apps/app.ts';
import { type Diagnosis, diagnosis } from './diagnosis.ts';
import type { Claim, RecentNames } from './guesses.ts';

/** A refused proof that is to be looked into. */
export interface Case {
  readonly claim: Claim;
  readonly auth: unknown;
  /** Is told what was found; nothing if there was no time for it. */
  readonly onFound: (found: Diagnosis | undefined) => void;
}

/** Cases that are taken per second, and that wait at a time; each holds at most the data of one frame. */
const MAX_PER_SECOND = 10;
const MAX_WAITING = 10;
/** Milliseconds of work at a time, and of rest after it: so clients never wait longer, and get nine tenths of the time. */
const SLICE_MS = 2;
const REST_MS = 18;

/** Looks into refused proofs of one app, one after the other, while the broker does its work. */
export class Examiner {
  readonly #app: App;
  readonly #surroundings: () => RecentNames;
  readonly #waiting: Case[] = [];
  #current: { readonly steps: Generator<void, Diagnosis>; readonly of: Case } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #taken = 0;

  /** @param surroundings what the backend of the app has lately heard of */
  constructor(app: App, surroundings: () => RecentNames) {
    this.#app = app;
    this.#surroundings = surroundings;
  }

  /** Looks into a case later. */
  examine(examined: Case): void {
    if (this.#taken >= MAX_PER_SECOND || this.#waiting.length >= MAX_WAITING)
      return examined.onFound(undefined);
    this.#taken += 1;
    this.#waiting.push(examined);
    this.#rest();
  }

  /** A second has passed. */
  renew(): void {
    this.#taken = 0;
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
      of.onFound(step.value);
    }
    this.#rest();
  }

  #next() {
    const of = this.#waiting.shift();
    return of && { of, steps: diagnosis(this.#app, of.claim, of.auth, this.#surroundings()) };
  }
}
