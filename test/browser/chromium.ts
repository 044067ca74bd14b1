import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';

/** Where Chromium is, if it is in the path. */
const executablePath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  .find(isExecutable);

let browser: Browser;

/**
 * Tests that run in a real browser. Without one they are skipped with a word about it, but in continuous integration
 * they fail.
 */
export function describeInChromium(name: string, tests: () => void): void {
  const isSkipped = !executablePath && !process.env['CI'];
  if (isSkipped) console.warn(`Skipped, for there is no chromium in the path: ${name}`);
  describe.skipIf(isSkipped)(name, () => {
    beforeAll(async () => {
      if (!executablePath) throw new Error('There is no chromium in the path');
      browser = await chromium.launch({
        executablePath,
        // Containers have neither the privileges for its sandbox nor much shared memory.
        args: ['--no-sandbox', '--disable-dev-shm-usage'],
        // A page that is left may be kept and come back, as in the browsers of people.
        ignoreDefaultArgs: ['--disable-back-forward-cache'],
      });
    });
    afterAll(() => browser?.close());
    tests();
  });
}

/** A browser without cookies, closed with the test. */
export async function freshContext(): Promise<BrowserContext> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  return context;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
