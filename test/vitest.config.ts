import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('.', import.meta.url).pathname,
    include: ['**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Every test file starts its own brokers on free ports, so files may run side by side.
    pool: 'forks',
    // One process runs many files: loading the same modules for each file took half of the time.
    isolate: false,
    // Most files wait for brokers more than they compute.
    maxWorkers: 2,
  },
});
