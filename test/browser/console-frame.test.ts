import { expect, test } from 'vitest';
import { authorize, connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE, openSignedIn } from './console-page.ts';

/** Waits until the tab of the browser has this title. */
async function untilTitled({ page }: ConsolePage, title: string | RegExp): Promise<void> {
  await expect.poll(() => page.title(), DEADLINE).toMatch(title);
}

const icon = ({ page }: ConsolePage) => page.locator('link[rel=icon]').getAttribute('href');

async function refuse({ broker }: ConsolePage): Promise<void> {
  const client = await connect(broker);
  client.subscribe('private-room', { auth: authorize('1.2', 'private-room') });
  await client.next();
}

describeInChromium('around the views of the console', () => {
  test('the tab of the browser tells the view, refusals that nobody has seen, and old data', async () => {
    const opened = await openSignedIn({ app: { name: 'Shop' }, config: { data: newFolder() } });
    await untilTitled(opened, /^Live · Shop – Countersign$/);
    const live = await icon(opened);
    await refuse(opened);
    await untilTitled(opened, /^\(1\) Live · Shop/);
    const refused = await icon(opened);
    expect(refused).not.toBe(live);
    await opened.page.getByRole('link', { name: 'Events 1 refused' }).click();
    await untilTitled(opened, /^Events · Shop/);
    expect(await icon(opened)).toBe(live);
    await opened.broker.close();
    await untilTitled(opened, /^No data · Shop/);
    expect([live, refused]).not.toContain(await icon(opened));
  });

  test('the palette finds views and channels by a few letters', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const client = await connect(broker);
    await client.join('orders-of-today');
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox');
    await field.fill('webh');
    await page.getByRole('option', { name: 'Webhooks' }).waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('palette');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Webhooks', level: 2 }).waitFor(DEADLINE);
    await page.getByRole('button', { name: 'Find' }).click();
    await field.fill('of-tod');
    await page.getByRole('option', { name: 'orders-of-today' }).click();
    await page.getByRole('heading', { name: 'orders-of-today', level: 2 }).waitFor(DEADLINE);
    await page.keyboard.press('Control+k');
    await field.waitFor(DEADLINE);
    await page.keyboard.press('Escape');
    await field.waitFor({ state: 'detached', ...DEADLINE });
    expect(opened.errors).toEqual([]);
  });

  test('keys open the views, the filter and the list of keys', async () => {
    const opened = await openSignedIn();
    const { page } = opened;
    await page.keyboard.press('g');
    await page.keyboard.press('e');
    await page.getByRole('heading', { name: 'Events', level: 2 }).waitFor(DEADLINE);
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Pause', pressed: true }).waitFor(DEADLINE);
    await page.keyboard.press('/');
    await page.keyboard.type('g k ?');
    expect(await page.getByLabel('Filter').inputValue()).toBe('g k ?');
    await page.getByLabel('Filter').blur();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor(DEADLINE);
    await opened.sees('Open Webhooks');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('keys-help');
  });

  test('the colours are those of the system until the user chooses others, also at the next visit', async () => {
    const opened = await openSignedIn();
    const { page } = opened;
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await ground();
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await ground();
    expect(dark).not.toBe(light);
    await page.getByRole('button', { name: 'Colours: system' }).click();
    await page.getByRole('button', { name: 'Colours: light' }).click();
    await expect.poll(ground).toBe(dark);
    await page.reload();
    await opened.live();
    expect(await ground()).toBe(dark);
  });

  test('an address that leads nowhere says so, and leads back', async () => {
    const opened = await openSignedIn();
    await opened.page.goto(`${opened.broker.url}/console/#/nowhere`);
    await opened.sees('There is no such view');
    await opened.page.getByRole('link', { name: 'Go to Live' }).click();
    await opened.page.getByRole('heading', { name: 'Live', level: 2 }).waitFor(DEADLINE);
  });
});
