/** The page of `countersign dev`, as somebody sees it in their first minute. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { beforeEach, expect, test } from 'vitest';
import { startCli } from '../helpers/brokers/cli.ts';
import { DEADLINE_MS } from '../helpers/deadline.ts';
import { addAxe, violations } from './accessibility.ts';
import { describeInChromium, freshContext } from './chromium.ts';

const ARTIFACTS = join(import.meta.dirname, '../artifacts');
const DEADLINE = { timeout: DEADLINE_MS };

describeInChromium('the page of countersign dev', () => {
  let url: string;
  let context: BrowserContext;
  let page: Page;
  const errors: string[] = [];

  beforeEach(async () => {
    const cli = startCli(['dev', '--port', '0']);
    url = (await cli.line('  page ')).replace(/ +page +/, '');
    context = await freshContext();
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await addAxe(context);
    page = await context.newPage();
    errors.length = 0;
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(url);
    await page.getByText('connected', { exact: true }).waitFor(DEADLINE);
    await page.getByText('(you)').waitFor(DEADLINE);
  });

  test('a second window is seen in the lobby, and gets what the first one publishes', async () => {
    await page.getByText('Only you so far').waitFor(DEADLINE);
    const [second] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('link', { name: 'Open a second window' }).click(),
    ]);
    await expect.poll(() => page.locator('#members li').count(), DEADLINE).toBe(2);
    await expect.poll(() => page.getByText('Only you so far').isVisible(), DEADLINE).toBe(false);
    await second
      .locator('tr', { hasText: 'news' })
      .getByText('subscribed', { exact: true })
      .waitFor(DEADLINE);
    await page.getByLabel('Data').fill('a first message');
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await second.getByRole('log').getByText('{"text":"a first message"}').waitFor(DEADLINE);
    await second.close();
    await expect.poll(() => page.locator('#members li').count(), DEADLINE).toBe(1);
    expect(errors).toEqual([]);
  });

  test('snippets are filled in, and what the button copies publishes as it stands', async () => {
    const tabs = page.getByRole('group', { name: 'Snippets' }).getByRole('button');
    await tabs.first().waitFor(DEADLINE);
    expect(await tabs.allTextContents()).toEqual([
      'Our client',
      'pusher-js',
      'Laravel Echo',
      'Publish: Node',
      'Publish: PHP',
      'Publish: Python',
      'Publish: curl',
      'Private channels',
    ]);
    const { port } = new URL(url);
    for (const tab of await tabs.all()) {
      await tab.click();
      const code = await page.locator('#code').textContent();
      expect(code).toContain(port);
      expect(code).not.toMatch(/undefined|COUNTERSIGN_SECRET/);
    }
    await page.getByRole('button', { name: 'Publish: curl' }).click();
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor(DEADLINE);
    const copied = (await page.evaluate('navigator.clipboard.readText()')) as string;
    execFileSync('sh', ['-c', copied], { stdio: 'pipe' });
    await page.getByRole('log').getByText('{"text":"hi"}').waitFor(DEADLINE);
    expect(errors).toEqual([]);
  });

  test.each([
    [
      'The backend has the wrong secret',
      /private-broken is not subscribed: Invalid signature: expected the HMAC/,
    ],
    [
      'The auth endpoint is on another origin, without CORS',
      /its answers need Access-Control-Allow-Origin: http:\/\/127\.0\.0\.1/,
    ],
    [
      'The backend’s clock is 20 minutes behind',
      /The clock of this machine is 20 minutes behind the broker's: set it by NTP/,
    ],
  ])('break it: %s', async (mistake, diagnosis) => {
    await page.getByRole('button', { name: mistake }).click();
    await page.locator('#diagnosis').getByText(diagnosis).waitFor(DEADLINE);
    // The page itself goes on.
    await page.getByRole('button', { name: 'Publish', exact: true }).click();
    await page.getByRole('log').getByText('{"text":"hi"}').waitFor(DEADLINE);
    expect(errors).toEqual([]);
  });

  test('is readable in both schemes, on a desk and on a phone', async () => {
    await page.getByRole('button', { name: 'The backend has the wrong secret' }).click();
    await page.locator('#diagnosis').getByText('Invalid signature').waitFor(DEADLINE);
    // The colour of an avatar depends on a name of chance: all of them are looked at.
    await page.evaluate(`for (let hue = 0; hue < 12; hue += 1) {
      const member = document.querySelector('#members li').cloneNode(true);
      member.querySelector('.avatar').dataset.hue = hue;
      document.querySelector('#members').append(member);
    }`);
    await mkdir(ARTIFACTS, { recursive: true });
    for (const width of [1440, 390]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const path = join(ARTIFACTS, `dev-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
      }
    }
  });
});
