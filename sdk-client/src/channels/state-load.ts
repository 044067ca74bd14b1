import type { Retries } from '../connection/retries.ts';
import { guard } from '../emitter.ts';

/** Events that can wait for a state; beyond them the state is loaded once more, after a pause. */
const MAX_HELD = 1_000;

export interface StateLoadParts<State> {
  load(): Promise<State> | State;
  loaded(state: State): void;
  failed(error: unknown, retryIn: number): void;
  readonly retries: Retries;
}

/** Loads a state, and holds the events that come meanwhile, so that they are handed over after it. */
export class StateLoad<State> {
  readonly #parts: StateLoadParts<State>;
  /** The events that wait; `undefined` while nothing is loaded. */
  #held: (() => void)[] | undefined;
  #hasDropped = false;
  readonly #again = (): void => {
    if (!this.#held) return;
    if (this.#hasDropped) this.begin();
    else this.#start(this.#held);
  };

  constructor(parts: StateLoadParts<State>) {
    this.#parts = parts;
  }

  /** Loads anew: what came before may lack something. */
  begin(): void {
    this.#hasDropped = false;
    this.#parts.retries.delete(this.#again);
    this.#held = [];
    this.#start(this.#held);
  }

  /** Hands over an event, now or after the state. */
  take(hand: () => void): void {
    if (!this.#held) return hand();
    if (this.#held.push(hand) <= MAX_HELD) return;
    this.#held.length = 0;
    this.#hasDropped = true;
  }

  /** Ends the load. What was held is handed over without a state. */
  end(): void {
    this.#parts.retries.delete(this.#again);
    this.#release();
  }

  #start(held: (() => void)[]): void {
    const { load, loaded, failed, retries } = this.#parts;
    const isCurrent = (): boolean => this.#held === held;
    Promise.resolve()
      .then(load)
      .then(
        (state) => {
          if (!isCurrent()) return;
          // Events may come faster than it can be loaded: without a pause it would be asked for again and again.
          if (this.#hasDropped) return void retries.add(this.#again, 0);
          retries.delete(this.#again, true);
          loaded(state);
          // A listener may have begun another load.
          if (isCurrent()) this.#release();
        },
        (error: unknown) => {
          if (isCurrent()) failed(error, retries.add(this.#again, 0));
        },
      );
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    // One that a reducer fails on keeps the others from nothing.
    for (const hand of held) guard(hand);
  }
}
