import { expect, test } from 'vitest';
import { admin } from '../helpers/admin.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { connect } from '../helpers/clients/client.ts';
import { go, openAdminOf } from './admin-page.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE } from './console-page.ts';

async function openShop(): Promise<ConsolePage & { readonly credentials: { key: string; secret: string } }> {
  const opened = await openAdminOf([]);
  const { body } = await admin(opened.broker, 'POST', '/apps', { body: { id: 'shop', name: 'Shop' } });
  return Object.assign(opened, { credentials: body.keys[0] });
}

describeInChromium('one app of an administrator', () => {
  test('gets a webhook, whose secret is shown once and rotated', async () => {
    const opened = await openShop();
    const { page, broker, credentials } = opened;
    const receiver = await startReceiver();
    await go(opened, 'apps/shop/webhooks');
    await opened.sees('This app has no webhooks');
    expect(await opened.violations()).toEqual([]);
    await page.getByRole('button', { name: 'New webhook' }).click();
    await page.getByLabel('URL').fill(receiver.url());
    await page.getByLabel('channel_occupied').check();
    expect(await opened.violations()).toEqual([]);
    await page.getByRole('button', { name: 'Create the webhook' }).click();
    const secret = page.locator('.shown-once code');
    await secret.waitFor(DEADLINE);
    const first = await secret.textContent();
    expect(first).toMatch(/^whsec_/);
    const client = await connect(broker, { id: 'shop', ...credentials });
    await client.join('news');
    expect((await receiver.next()).headers['webhook-signature']).toMatch(/^v1,\S+$/);

    await page.getByRole('button', { name: 'New secret' }).click();
    await expect.poll(() => secret.textContent(), DEADLINE).not.toBe(first);
    await opened.sees(/, ends /);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-webhooks');
    await client.join('other');
    expect((await receiver.next()).headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);

    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Only channels that begin with').fill('private-');
    await page.getByRole('button', { name: 'Save' }).click();
    await opened.sees('private-…');
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await opened.sees('This app has no webhooks');
    expect(opened.errors).toEqual([]);
  });

  test('has settings and limits, and a change by somebody else is not overwritten', async () => {
    const opened = await openShop();
    const { page, broker } = opened;
    await go(opened, 'apps/shop/settings');
    await page.getByLabel('Name', { exact: true }).fill('Shop 2');
    await page.getByLabel('Connections need TLS').check();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await opened.sees('Saved.');
    await page.getByLabel('messagesPerDay').fill('1000');
    await page.getByLabel('presenceMembers', { exact: true }).fill('');
    await page.getByRole('button', { name: 'Save the limits' }).click();
    await expect
      .poll(async () => (await admin(broker, 'GET', '/apps/shop')).body, DEADLINE)
      .toMatchObject({
        name: 'Shop 2',
        requireTLS: true,
        limits: { messagesPerDay: 1000, presenceMembers: 100 },
      });
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-settings');

    await page.getByLabel('messagesPerDay').fill('2000');
    await admin(broker, 'PATCH', '/apps/shop', { body: { limits: { messagesPerDay: 5 } } });
    await page.getByRole('button', { name: 'Save the limits' }).click();
    await opened.sees(/etag_mismatch/);
    await page.getByRole('button', { name: 'Show it as it is now' }).click();
    await expect.poll(() => page.getByLabel('messagesPerDay').inputValue(), DEADLINE).toBe('5');
    await page.getByLabel('messagesPerDay').fill('0');
    await page.getByRole('button', { name: 'Save the limits' }).click();
    expect((await admin(broker, 'GET', '/apps/shop')).body.limits.messagesPerDay).toBe(5);
    expect(opened.errors).toEqual([]);
  });

  test('is deleted after it was told what ends with it', async () => {
    const opened = await openShop();
    const { page, broker, credentials } = opened;
    const client = await connect(broker, { id: 'shop', ...credentials });
    await go(opened, 'apps/shop/settings');
    await page.getByRole('button', { name: 'Delete…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete Shop?' });
    await dialog.getByText('connections, closed with 4001').waitFor(DEADLINE);
    expect(await dialog.locator('dt').first().textContent()).toBe('1');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-delete');
    const button = dialog.getByRole('button', { name: 'Delete the app' });
    expect(await button.isDisabled()).toBe(true);
    await dialog.getByLabel('Type the id of the app').fill('shop');
    await button.click();
    await opened.sees('Create your first app');
    expect((await client.closed()).code).toBe(4001);
    expect(opened.errors).toEqual([]);
  });
});
