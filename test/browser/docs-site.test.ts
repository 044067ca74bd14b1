/** The site of the documentation, as `npm run docs` builds it, in a browser. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { DEADLINE_MS } from '../helpers/deadline.ts';
import { addAxe, violations } from './accessibility.ts';
import { describeInChromium, freshContext } from './chromium.ts';

const ARTIFACTS = join(import.meta.dirname, '../artifacts');
const BUILD = join(import.meta.dirname, '../../docs/site/build.js');
const DEADLINE = { timeout: DEADLINE_MS };

describeInChromium('the site of the documentation', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-docs-'));
    execFileSync(process.execPath, [BUILD, folder], { stdio: 'pipe' });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function open(path: string) {
    const server = express().use(express.static(folder)).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const context = await freshContext();
    await addAxe(context);
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('response', (answer) => {
      if (answer.status() >= 400) errors.push(`${answer.status()} ${answer.url()}`);
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`);
    return { page, errors };
  }

  test('a reader finds an error code by the search, and follows a link from there', async () => {
    const { page, errors } = await open('index.html');
    await page.keyboard.press('/');
    await page.getByRole('searchbox').fill('invalid_signature');
    await page.locator('#results').getByRole('link', { name: 'invalid_signature' }).first().click(DEADLINE);
    await page.waitForURL(/docs\/errors\.html#invalid_signature$/, DEADLINE);
    await page.getByRole('navigation', { name: 'Pages' }).locator('[aria-current]').waitFor(DEADLINE);
    await page
      .getByRole('navigation', { name: 'Pages' })
      .getByRole('link', { name: 'Webhooks' })
      .first()
      .click();
    await page.waitForURL(/docs\/webhooks\.html$/, DEADLINE);
    await page.getByRole('searchbox').fill('zzzzqqqq');
    await page.getByText('Nothing found').waitFor(DEADLINE);
    expect(errors).toEqual([]);
  });

  test('the theme that a reader chose is kept', async () => {
    const { page } = await open('docs/cors.html');
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.getByRole('button', { name: 'Theme' }).click();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    expect(await ground()).toBe(dark);
  });

  test.each(['index', 'README', 'docs/errors', 'docs/mistakes', 'docs/recipes/session-cookie'])(
    '%s is readable in both schemes, on a desk and on a phone',
    async (name) => {
      const { page, errors } = await open(`${name}.html`);
      await mkdir(ARTIFACTS, { recursive: true });
      for (const width of [1440, 390]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(await violations(page)).toEqual([]);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          const path = join(ARTIFACTS, `docs-${name.replaceAll('/', '-')}-${width}-${colorScheme}.png`);
          await page.screenshot({ path });
        }
      }
      expect(errors).toEqual([]);
    },
  );
});
