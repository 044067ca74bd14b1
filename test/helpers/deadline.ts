/**
 * Milliseconds after which a test stops waiting for what must come. A test that passes never waits so long,
 * however busy the machine is.
 */
export const DEADLINE_MS = 30_000;
