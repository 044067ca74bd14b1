import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Brings axe-core into all pages of a context, as the developer tools would, past their policy. */
export async function addAxe(context: BrowserContext): Promise<void> {
  await context.addInitScript(AXE);
}

/** What axe-core finds in a page as it is now, in both colour schemes. */
export async function violations(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
    for (const { id, nodes } of violations)
      found.push(`${colorScheme}: ${id} at ${nodes.map(({ target }) => target).join(', ')}`);
  }
  return found;
}
