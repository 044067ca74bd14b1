import { expect, test } from 'vitest';
import { admin } from '../helpers/admin.ts';
import { publish } from '../helpers/api.ts';
import { APP } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { go, openAdmin, openAdminOf } from './admin-page.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE } from './console-page.ts';

describeInChromium('the apps of an administrator', () => {
  test('the first app is made in a form, and its first connection turns the page green', async () => {
    const opened = await openAdminOf([]);
    const { page, broker } = opened;
    await opened.sees('Create your first app');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-no-apps');
    await page.getByRole('link', { name: 'Create an app' }).click();
    await page.getByLabel('Name').fill('Shop');
    await page.getByLabel('Id').fill('shop');
    expect(await opened.violations()).toEqual([]);
    await page.getByRole('button', { name: 'Create the app' }).click();
    await opened.sees('Waiting for your first connection…');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-new-app');

    const [key = '', secret = ''] = [
      await page.locator('dd code').nth(1).textContent(),
      await page.locator('.shown-once code').textContent(),
    ];
    const client = await connect(broker, { id: 'shop', key: key!, secret: secret! });
    await opened.sees('Connected: 1 client now');
    client.close();
    await opened.sees('Connected: 0 clients now');
    await page.getByRole('link', { name: 'Open the app' }).click();
    await page.getByRole('heading', { name: 'Shop', level: 2 }).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('all are listed with what happens in them', async () => {
    const opened = await openAdmin({ app: { name: 'Acme' } });
    const { page, broker } = opened;
    const row = page.getByRole('row', { name: 'Acme' });
    await row.getByRole('cell', { name: '0', exact: true }).first().waitFor(DEADLINE);
    const client = await connect(broker);
    await client.join('news');
    await row.getByRole('cell', { name: '1', exact: true }).waitFor(DEADLINE);
    const pulse = setInterval(() => void publish(broker, 'news', 'hello', '{}').catch(() => {}), 100);
    try {
      await expect
        .poll(async () => Number(await row.getByRole('cell').nth(3).textContent()), DEADLINE)
        .toBeGreaterThan(0);
    } finally {
      clearInterval(pulse);
    }
    expect(await opened.violations()).toEqual([]);
    expect(opened.errors).toEqual([]);
  });

  test('five thousand are found by a part of the name, and read page by page', async () => {
    const apps = Array.from({ length: 5000 }, (_, n) => ({
      id: `app-${String(n).padStart(4, '0')}`,
      name: `Team ${n}`,
      keys: [{ key: `key-of-${n}`, secret: `secret-of-app-${n}` }],
    }));
    const opened = await openAdminOf(apps);
    const { page } = opened;
    const rows = page.getByRole('table', { name: 'Apps' }).getByRole('rowheader');
    await opened.sees('app-0000');
    expect(await rows.count()).toBe(25);
    await page.getByRole('button', { name: 'Next page' }).click();
    await opened.sees('app-0025');
    await page.goBack();
    await opened.sees('app-0000');
    await page.getByLabel('Search').fill('team 4999');
    await opened.sees('app-4999');
    await expect.poll(() => rows.count(), DEADLINE).toBe(1);
    await page.reload();
    await opened.sees('app-4999');
    await page.getByLabel('Search').fill('nobody');
    await opened.sees('No app is found');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill('app-3210');
    await page.getByRole('option', { name: 'Team 3210' }).click();
    await page.getByRole('heading', { name: 'Team 3210', level: 2 }).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('a key is rotated while its last use is watched, and revoked', async () => {
    const opened = await openAdminOf([]);
    const { page, broker } = opened;
    const { body: app } = await admin(broker, 'POST', '/apps', { body: { id: 'shop', name: 'Shop' } });
    const [{ key: old, secret }] = app.keys;
    await go(opened, 'apps/shop/keys');
    const row = page.getByRole('row', { name: old });
    await row.getByRole('cell', { name: 'never', exact: true }).first().waitFor(DEADLINE);
    await publish(broker, 'news', 'hello', '{}', {}, { id: 'shop', key: old, secret });
    await row.getByText(/\d s ago/).waitFor(DEADLINE);
    await row.getByRole('button', { name: 'Rotate' }).click();
    await opened.sees('Copy it now: it is not shown again.');
    await opened.sees(/is being replaced by/);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-keys');
    await row.getByRole('button', { name: 'Revoke' }).click();
    const dialog = page.getByRole('dialog', { name: `Revoke ${old}?` });
    await dialog.getByText(/It was last used \d+ s ago/).waitFor(DEADLINE);
    await dialog.getByRole('button', { name: 'Revoke' }).click();
    await row.getByText('revoked').waitFor(DEADLINE);
    await row.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await row.waitFor({ state: 'detached', ...DEADLINE });
    expect((await admin(broker, 'GET', '/apps/shop/keys')).body.keys).toHaveLength(1);
    expect(opened.errors).toEqual([]);
  });

  test('one shows how near its limits are; what the file manages is read only', async () => {
    const opened = await openAdmin({ app: { name: 'Acme' }, limits: { connections: 4 } });
    const { page, broker } = opened;
    for (let n = 0; n < 4; n += 1) await connect(broker);
    await page.getByRole('link', { name: 'Acme' }).click();
    await page.getByRole('row', { name: 'Connections at one time' }).getByText('100 %').waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.sees(/The configuration file of the broker manages this app/);
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('rowheader', { name: APP.key }).waitFor(DEADLINE);
    expect(await page.getByRole('button', { name: 'New key' }).count()).toBe(0);
    expect(opened.errors).toEqual([]);
  });
});
