import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { admin } from '../helpers/admin.ts';
import { publish } from '../helpers/api.ts';
import { APP } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { go, openAdmin, signInAs } from './admin-page.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE } from './console-page.ts';

describeInChromium('the service, for its administrators', () => {
  test('usage is a chart and a file to download, of all apps and of one', async () => {
    const opened = await openAdmin({ app: { name: 'Acme' } });
    const { page, broker } = opened;
    await opened.view('Usage');
    await opened.sees('Nothing was used in this time');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-usage-empty');
    const client = await connect(broker);
    await client.join('news');
    for (let n = 0; n < 5; n += 1) await publish(broker, 'news', 'hello', '{}');
    await expect
      .poll(async () => (await admin(broker, 'GET', '/usage')).body.rows[0]?.messages_delivered, DEADLINE)
      .toBe(5);
    await page.reload();
    await expect.poll(() => page.locator('.figure').textContent(), DEADLINE).toMatch(/^5/);
    const chart = page.getByRole('slider', { name: 'Deliveries over time' });
    await chart.focus();
    await page.keyboard.press('ArrowRight');
    await chart.getByText(/^5/).first().waitFor(DEADLINE);
    await page.getByRole('table', { name: 'Apps that use most' }).getByText(APP.id).waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-usage');

    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'CSV' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('usage-day.csv');
    const [header, row] = (await readFile(await file.path(), 'utf8')).split('\n');
    expect(header).toMatch(/^app,from,unit,/);
    expect(row).toMatch(new RegExp(`^${APP.id},.*,hour,`));

    await page.getByLabel('What').selectOption({ label: 'Connections, peak' });
    await expect.poll(() => page.locator('.figure').textContent(), DEADLINE).toMatch(/^1Connections, peak/);
    await page.getByRole('link', { name: APP.id }).click();
    await page.getByRole('link', { name: 'Usage', exact: true }).last().click();
    await expect.poll(() => page.locator('.figure').textContent(), DEADLINE).toMatch(/^5/);
    expect(opened.errors).toEqual([]);
  });

  test('a node is drained after a question', async () => {
    const opened = await openAdmin();
    const { page, broker } = opened;
    const client = await connect(broker);
    await opened.view('Nodes');
    const row = page.getByRole('row', { name: 'answers this page' });
    await row.getByRole('cell', { name: '1', exact: true }).waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-nodes');
    await row.getByRole('button', { name: 'Drain' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await row.getByText('ready').waitFor(DEADLINE);
    await row.getByRole('button', { name: 'Drain' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
    await client.closed();
    expect(opened.errors).toEqual([]);
  });

  test('the audit log tells who changed what, by app, token and kind', async () => {
    const opened = await openAdmin();
    const { page, broker } = opened;
    await opened.view('Audit');
    await opened.sees('Nothing was changed yet');
    expect(await opened.violations()).toEqual([]);
    await admin(broker, 'POST', '/apps', { body: { id: 'shop', name: 'Shop' } });
    await admin(broker, 'PATCH', '/apps/shop', { body: { name: 'Shop 2' } });
    const changes = page.getByRole('table', { name: 'Changes' });
    await changes.getByRole('rowheader', { name: 'app updated' }).waitFor(DEADLINE);
    await changes.locator('summary').click();
    await opened.sees('"Shop 2"');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-audit');
    await page.getByLabel('What').selectOption({ label: 'app created' });
    await page.getByRole('button', { name: 'Search' }).click();
    await expect
      .poll(() => changes.getByRole('rowheader').allTextContents(), DEADLINE)
      .toEqual(['app created']);
    await page.getByRole('searchbox', { name: 'Token' }).fill('nobody');
    await page.getByRole('button', { name: 'Search' }).click();
    await opened.sees('No change is found');
    await page.getByRole('link', { name: 'Clear' }).click();
    await expect.poll(() => changes.getByRole('rowheader').count(), DEADLINE).toBe(2);
    expect(opened.errors).toEqual([]);
  });

  test('a token is made for a tenant, used, and ended', async () => {
    const opened = await openAdmin();
    const { page } = opened;
    await opened.view('Tokens');
    await page.getByLabel('Name').fill('tenant');
    await page.getByLabel('Ids of apps').fill(APP.id);
    await page.getByRole('button', { name: 'New token' }).click();
    const token = (await page.locator('.shown-once code').textContent({ ...DEADLINE })) ?? '';
    expect(token).toMatch(/^csa_[A-Za-z0-9]{40}$/);
    const row = page.getByRole('row', { name: 'tenant' });
    await row.getByText('never').first().waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-tokens');
    await row.getByRole('button', { name: 'End' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End the token' }).click();
    await row.waitFor({ state: 'detached', ...DEADLINE });
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signInAs(opened, token);
    await opened.sees('No admin token is like this one');
    await go(opened, 'tokens');
    expect(opened.errors).toEqual([]);
  });
});
