/** A clock that stands still while this process gets no processor: a busy machine is not the fault of what a test measures. */

const TICK_MS = 20;
/** What is later than this was not a matter of the timer. */
const STALL_MS = 100;

let stalled = 0;
let last = performance.now();

setInterval(() => {
  stalled += latenessNow();
  last = performance.now();
}, TICK_MS).unref();

function latenessNow(): number {
  const late = performance.now() - last - TICK_MS;
  return late > STALL_MS ? late : 0;
}

/** Milliseconds for which this process could run since it loaded this file. Only differences mean something. */
export function runningTime(): number {
  return performance.now() - stalledMs();
}

/** Milliseconds for which this process could not run, up to now. Only differences mean something. */
export function stalledMs(): number {
  return stalled + latenessNow();
}
