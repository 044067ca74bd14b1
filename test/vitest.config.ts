import { defineConfig } from 'vitest/config';
import { DEADLINE_MS } from './helpers/deadline.ts';

export default defineConfig({
  test: {
    root: new URL('.', import.meta.url).pathname,
    // Long ones take minutes to find anything; `npm run test:property` runs them.
    include: ['**/*.test.ts', ...(process.env['PROPERTY_FACTOR'] ? ['**/*.long.ts'] : [])],
    // A wait inside of a test ends before its test does, and says what has not come.
    testTimeout: 2 * DEADLINE_MS,
    hookTimeout: 2 * DEADLINE_MS,
    expect: { poll: { timeout: DEADLINE_MS } },
    // Every test file starts its own brokers on free ports, so files may run side by side.
    pool: 'forks',
    // One process runs many files: loading the same modules for each file took half of the time.
    isolate: false,
    // Most files wait for brokers more than they compute: two at once leave the other programs of a test their time.
    maxWorkers: 2,
  },
});
