/** Time and chance, so that tests can bring their own. */
export interface Clock {
  /** Milliseconds since any moment, by a clock that nobody sets. Everything that is waited for is measured by it. */
  now(): number;
  /** Milliseconds of the wall clock, which goes on while the machine sleeps. */
  wall(): number;
  /** Calls back once after `ms`; returns its undo. */
  after(ms: number, callback: () => void): () => void;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export const systemClock: Clock = {
  // Not every platform has a clock of this kind.
  now: () => (globalThis.performance ?? Date).now(),
  wall: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
