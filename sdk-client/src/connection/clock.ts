/** Source of time and random numbers; tests can replace it. */
export interface Clock {
  /** Milliseconds of a monotonic clock; measures all delays and time-outs. */
  now(): number;
  /** Milliseconds of the wall clock; reveals that the machine slept. */
  wall(): number;
  /** Calls back once after `ms`. @returns a function that cancels it */
  after(ms: number, callback: () => void): () => void;
  /** A random number from 0 up to, not including, 1. */
  random(): number;
}

export const systemClock: Clock = {
  // Not every platform has `performance`.
  now: () => (globalThis.performance ?? Date).now(),
  wall: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
