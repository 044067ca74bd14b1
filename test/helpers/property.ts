/**
 * The budget of property tests: a fixed number of runs, which `npm run test:property` multiplies. A failure prints its
 * seed and path, by which fast-check repeats it.
 */
const FACTOR = Number(process.env['PROPERTY_FACTOR'] ?? 1);

/** Long enough for the runs of one property on a busy machine. */
export const PROPERTY_TIMEOUT_MS = 120_000 * FACTOR;

/** @param runs how many runs the property gets in the ordinary suite */
export function numRuns(runs: number): number {
  return runs * FACTOR;
}
