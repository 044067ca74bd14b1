import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { DEADLINE_MS } from '../helpers/deadline.ts';

/** Where Chromium is, if it is in the path. */
const executablePath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  .find(isExecutable);

// Containers have neither the privileges for its sandbox nor much shared memory.
const ARGUMENTS = ['--no-sandbox', '--disable-dev-shm-usage'];

/** Milliseconds for a test, which waits for many things of a slow browser. */
const TIMEOUT_MS = 4 * DEADLINE_MS;

let browser: Browser | undefined;

/**
 * Tests that run in a real browser. Without one they are skipped with a warning; in continuous integration they fail.
 */
export function describeInChromium(name: string, tests: () => void): void {
  const isSkipped = !executablePath && !process.env['CI'];
  if (isSkipped) console.warn(`skipped, since no chromium is in the path: ${name}`);
  describe.skipIf(isSkipped)(name, { timeout: TIMEOUT_MS }, () => {
    beforeAll(() => {
      if (!executablePath) throw new Error('There is no chromium in the path');
    });
    afterAll(async () => {
      await browser?.close();
      // Another file in this process starts its own.
      browser = undefined;
    });
    tests();
  });
}

/** A context without cookies, in which all pages are visible; closed with the test. */
export async function freshContext(): Promise<BrowserContext> {
  browser ??= await chromium.launch({ executablePath: executablePath!, args: ARGUMENTS });
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  return context;
}

/** A browser as users have it: one page is in front, and it may keep pages in its back/forward cache; ended with the test. */
export async function ordinaryBrowser(): Promise<BrowserContext> {
  const profile = await mkdtemp(join(tmpdir(), 'countersign-chromium-'));
  const args = [...ARGUMENTS, '--headless=new', '--remote-debugging-port=0', `--user-data-dir=${profile}`];
  const child = spawn(executablePath!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  for await (const line of createInterface(child.stderr)) {
    const address = /DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (!address) continue;
    const connection = await chromium.connectOverCDP(address, { noDefaults: true });
    const [context] = connection.contexts();
    if (context) return context;
  }
  throw new Error('Chromium did not start');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
