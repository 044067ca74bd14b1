import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Broker } from '@countersign/server';
import type { AxeResults } from 'axe-core';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { DEADLINE_MS } from '../helpers/deadline.ts';
import { freshContext } from './chromium.ts';

const ARTIFACTS = join(import.meta.dirname, '../artifacts');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const DEADLINE = { timeout: DEADLINE_MS };

export const SCHEMES = ['light', 'dark'] as const;

/** The console in a browser. */
export class ConsolePage {
  /** Uncaught errors, and what the page logged as an error, such as a violation of its policy. */
  readonly errors: string[] = [];

  constructor(
    readonly page: Page,
    readonly broker: Broker,
  ) {
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.errors.push(message.text());
    });
  }

  async signIn(secret: string = APP.secret): Promise<void> {
    await this.page.getByLabel('Key').fill(APP.key);
    await this.page.getByLabel('Secret').fill(secret);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
  }

  /** Waits until the page is connected. */
  async live(): Promise<void> {
    await this.page.getByText('connected', { exact: true }).waitFor(DEADLINE);
  }

  /** Opens a view, and waits for its heading. */
  async view(title: string): Promise<void> {
    await this.page.getByRole('navigation').getByRole('link', { name: title }).click();
    await this.page.getByRole('heading', { name: title, level: 2 }).waitFor(DEADLINE);
  }

  /** Waits until the page shows this text. */
  async sees(text: string | RegExp): Promise<Locator> {
    const found = this.page.getByText(text).first();
    await found.waitFor(DEADLINE);
    return found;
  }

  /** Waits until a number on the live view fits. */
  async figure(name: string, fits: (value: number) => boolean): Promise<void> {
    const figure = this.page.locator(`[data-figure=${name}]`);
    await expect.poll(async () => fits(Number(await figure.textContent())), DEADLINE).toBe(true);
  }

  async screenshot(name: string): Promise<void> {
    await mkdir(ARTIFACTS, { recursive: true });
    await this.page.screenshot({ path: join(ARTIFACTS, `console-${name}.png`) });
  }

  /** Takes a picture in each colour scheme. */
  async screenshots(name: string): Promise<void> {
    for (const scheme of SCHEMES) {
      await this.page.emulateMedia({ colorScheme: scheme });
      await this.screenshot(scheme === 'light' ? name : `${name}-dark`);
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
  }

  /** The violations that axe-core finds in the present view, in both colour schemes. */
  async violations(): Promise<string[]> {
    const found: string[] = [];
    for (const scheme of SCHEMES) {
      await this.page.emulateMedia({ colorScheme: scheme });
      const { violations } = (await this.page.evaluate('axe.run()')) as AxeResults;
      for (const { id, nodes } of violations)
        found.push(`${scheme}: ${id} at ${nodes.map(({ target }) => target).join(', ')}`);
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
    return found;
  }
}

/** Opens the sign-in of a new broker's console. */
export async function openConsole(settings: ServerSettings = {}): Promise<ConsolePage> {
  return openConsoleOf(await startServer(settings));
}

/** @param url where the browser reaches the broker */
export async function openConsoleOf(broker: Broker, url: string = broker.url): Promise<ConsolePage> {
  const context = await freshContext();
  // An init script runs in spite of the page's policy, as the developer tools do.
  await context.addInitScript(AXE);
  const page = await context.newPage();
  await page.setViewportSize({ width: 1180, height: 760 });
  const opened = new ConsolePage(page, broker);
  await page.goto(`${url}/console`);
  return opened;
}

export async function openSignedIn(settings?: ServerSettings): Promise<ConsolePage> {
  const opened = await openConsole(settings);
  await opened.signIn();
  await opened.live();
  return opened;
}
