import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of one turn of the event loop that the work of one owner may take, and that all work together which waited. */
const TURN_MS = 5;

/**
 * Divides the turns of the event loop among owners, by the time that their work takes. The work of one that has had its share
 * of a turn waits for the next ones, in its order, where those who wait take turns; the work of all others begins at once.
 */
export class FairTurns<Owner extends object> {
  /** Milliseconds by owner, since somebody has last used a whole share. */
  #spent = new WeakMap<Owner, number>();
  /** Who has waited longest is first. */
  readonly #waiting = new Map<Owner, (() => void)[]>();
  #isScheduled = false;
  #isFinishing = false;

  /**
   * Does something at once, or when it is the turn of its owner.
   *
   * @param work is told whether it had to wait
   */
  run<T>(owner: Owner, work: (hasWaited: boolean) => T | Promise<T>): T | Promise<T> {
    const waiting = this.#waiting.get(owner);
    const isTurn = this.#isFinishing || (!waiting && (this.#spent.get(owner) ?? 0) < TURN_MS);
    if (isTurn) return this.#work(owner, () => work(false));
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          resolve(this.#work(owner, () => work(true)));
        } catch (error) {
          reject(error);
        }
      };
      if (waiting) waiting.push(step);
      else this.#waiting.set(owner, [step]);
    });
  }

  /** From now on nobody waits. Resolves when what waited has begun. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    for (const steps of this.#waiting.values()) for (const step of steps) step();
    this.#waiting.clear();
    await nextTurn();
  }

  #work<T>(owner: Owner, work: () => T): T {
    const start = performance.now();
    try {
      return work();
    } finally {
      const spent = (this.#spent.get(owner) ?? 0) + performance.now() - start;
      this.#spent.set(owner, spent);
      // Who uses little pays for no turn.
      if (spent >= TURN_MS && !this.#isScheduled) this.#schedule();
    }
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#spent = new WeakMap();
    this.#isScheduled = false;
    if (this.#waiting.size === 0) return;
    this.#schedule();
    for (const ends = performance.now() + TURN_MS; performance.now() < ends; ) {
      const [next] = this.#waiting;
      if (!next) return;
      const [owner, steps] = next;
      this.#waiting.delete(owner);
      const step = steps.shift();
      if (steps.length > 0) this.#waiting.set(owner, steps);
      step?.();
    }
  };
}
