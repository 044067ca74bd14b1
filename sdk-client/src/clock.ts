/** Time and chance, so that tests can bring their own. */
export interface Clock {
  /** Milliseconds of the wall clock, which goes on while the machine sleeps. */
  now(): number;
  /** Calls back once after `ms`; returns its undo. */
  after(ms: number, callback: () => void): () => void;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
