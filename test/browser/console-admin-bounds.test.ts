import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { admin } from '../helpers/admin.ts';
import { publish } from '../helpers/api.ts';
import { connect } from '../helpers/clients/client.ts';
import { go, openAdminOf } from './admin-page.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE } from './console-page.ts';

const SIZES = { desktop: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const LONG_ID = 'i'.repeat(64);
const LONG_NAME = 'N'.repeat(200);
const LONG_KEY = 'k'.repeat(128);
const SECRET = randomBytes(32).toString('hex');

/** Each view, and what is in it when it is there. */
const FULL: Readonly<Record<string, string>> = {
  apps: LONG_NAME,
  'apps/new': 'Create the app',
  [`apps/${LONG_ID}`]: 'How near the limits are',
  [`apps/${LONG_ID}/keys`]: LONG_KEY,
  [`apps/${LONG_ID}/webhooks`]: 'Secrets',
  [`apps/${LONG_ID}/usage`]: 'Export this app, by hour:',
  [`apps/${LONG_ID}/settings`]: 'Delete the app',
  usage: 'Apps that use most',
  nodes: 'answers this page',
  audit: 'webhook created',
  tokens: 't'.repeat(64),
};
const EMPTY: Readonly<Record<string, string>> = {
  apps: 'Create your first app',
  usage: 'Nothing was used in this time',
  audit: 'Nothing was changed yet',
  nodes: 'One node serves everybody.',
};

/** Takes pictures of views in both sizes and colour schemes. @returns those that are wider than the page */
async function look(
  opened: ConsolePage,
  name: string,
  views: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const { page } = opened;
  const overflowing: string[] = [];
  for (const [at, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    for (const [view, text] of Object.entries(views)) {
      await go(opened, view);
      await page.getByText(text).locator('visible=true').first().waitFor(DEADLINE);
      const width = await page.evaluate('document.documentElement.scrollWidth');
      if (width !== size.width) overflowing.push(`${view} on a ${at}: ${width}`);
      const short = view.replace(LONG_ID, 'one').replaceAll('/', '-');
      await opened.screenshots(`admin-${name}-${short}-${at}`);
    }
  }
  return overflowing;
}

describeInChromium('each view of an administrator', () => {
  test('fits the page with five thousand apps and long names, at a desk and on a phone', async () => {
    const apps = Array.from({ length: 5000 }, (_, n) => ({
      id: `team-${String(n).padStart(4, '0')}`,
      name: `Team ${n}`,
      keys: [{ key: `key-of-${n}`, secret: `secret-of-app-${n}` }],
    }));
    const opened = await openAdminOf(apps);
    const { broker } = opened;
    const keys = [{ key: LONG_KEY, secret: SECRET }, { client: true }];
    const app = await admin(broker, 'POST', '/apps', { body: { id: LONG_ID, name: LONG_NAME, keys } });
    expect(app).toMatchObject({ status: 201 });
    await admin(broker, 'POST', `/apps/${LONG_ID}/webhooks`, {
      body: { url: `https://example.com/${'h'.repeat(500)}`, events: ['member_added', 'quota_warning'] },
    });
    await admin(broker, 'POST', '/tokens', {
      body: { name: 't'.repeat(64), role: 'viewer', apps: apps.slice(0, 30).map(({ id }) => id) },
    });
    const credentials = { id: LONG_ID, key: LONG_KEY, secret: SECRET };
    const client = await connect(broker, credentials);
    await client.join('news');
    await publish(broker, 'news', 'hello', '{}', {}, credentials);
    await expect
      .poll(async () => (await admin(broker, 'GET', '/usage')).body.rows[0]?.messages_delivered, DEADLINE)
      .toBe(1);
    expect(await look(opened, 'full', FULL)).toEqual([]);
    expect(await opened.violations()).toEqual([]);
    expect(opened.errors).toEqual([]);
  }, 200_000);

  test('says what to do where there is nothing yet', async () => {
    const opened = await openAdminOf([]);
    expect(await look(opened, 'empty', EMPTY)).toEqual([]);
    expect(await opened.violations()).toEqual([]);
    await opened.broker.close();
    await opened.page.getByRole('alert').first().waitFor(DEADLINE);
    await opened.screenshots('admin-down-phone');
    await opened.page.setViewportSize(SIZES.desktop);
    await opened.screenshots('admin-down-desktop');
    expect(opened.errors).toEqual([]);
  }, 120_000);
});
