import type { Clock } from '@countersign/sdk-client';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to go. */
export class ManualClock implements Clock {
  chance = 0;
  /** What timers run by, and what is waited for is measured by. */
  #elapsed = 0;
  #wall = 1_000_000;
  #timers = new Set<Timer>();

  now(): number {
    return this.#elapsed;
  }

  wall(): number {
    return this.#wall + this.#elapsed;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#elapsed + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that would still keep a process alive. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until each pending timer, the nearest first. */
  get delays(): number[] {
    return [...this.#timers].map(({ at }) => at - this.#elapsed).sort((a, b) => a - b);
  }

  /** Lets time pass; timers run at their moments. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#elapsed = Math.max(this.#elapsed, due.at);
      this.#timers.delete(due);
      due.callback();
    }
    this.#elapsed = end;
  }

  /** The machine sleeps, or its clock is set (back, if negative): only the wall clock notices. */
  leap(ms: number): void {
    this.#wall += ms;
  }
}
