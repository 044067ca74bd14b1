import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { authorize, open } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE, openSignedIn } from './console-page.ts';

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };
const LONG_CHANNEL = `presence-cache-${'x'.repeat(985)}`;
const LONG_NAME = 'e'.repeat(1000);
const LONG_USER = 'u'.repeat(128);
const LONG_CLIENT = 'c'.repeat(1000);
const VIEWS = [
  'live',
  'channels',
  `channels/${LONG_CHANNEL}`,
  'events',
  'audit',
  'recordings',
  'publish',
  'webhooks',
  'keys',
];

async function openView({ page, broker }: ConsolePage, view: string): Promise<void> {
  await page.goto(`${broker.url}/console/#/${view}`);
}

describeInChromium('what clients send', () => {
  test('fits the page, however long it is, at a desk and on a phone', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(500, {}, 'r'.repeat(1000));
    const opened = await openSignedIn({
      app: {
        name: 'N'.repeat(128),
        keys: [
          { key: APP.key, secret: APP.secret },
          { key: 'k'.repeat(128), secret: 'secret-2' },
        ],
        webhooks: [
          { id: 'orders', url: `${receiver.url()}/${'h'.repeat(500)}`, events: ['channel_occupied'] },
        ],
      },
      limits: { channelNameLength: 1000, eventNameLength: 1000 },
      config: { webhookRetrySeconds: 0, audit: { enabled: true }, data: newFolder() },
    });
    const { page, broker } = opened;
    await openView(opened, `channels/${LONG_CHANNEL}`);
    await opened.sees('No subscribers.');
    const client = open(broker, `/app/${APP.key}?protocol=7&client=${LONG_CLIENT}&version=1.0`);
    await client.established();
    await client.join(LONG_CHANNEL, { user_id: LONG_USER, user_info: { name: 'n'.repeat(500) } });
    await opened.sees(LONG_USER);
    await publish(broker, LONG_CHANNEL, LONG_NAME, JSON.stringify({ text: 't'.repeat(1500) }));
    client.subscribe(`private-${'p'.repeat(900)}`, { auth: authorize('1.2', 'private-other') });
    await receiver.next();
    await opened.sees(LONG_NAME);

    const overflowing: string[] = [];
    for (const [at, size] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      await page.setViewportSize(size);
      for (const view of VIEWS) {
        await openView(opened, view);
        const heading = view.startsWith('channels/') ? LONG_CHANNEL : new RegExp(`^${view}`, 'i');
        await page.getByRole('heading', { name: heading, level: 2 }).waitFor(DEADLINE);
        if (view === 'channels') await page.getByRole('link', { name: LONG_CHANNEL }).waitFor(DEADLINE);
        if (view.startsWith('channels/')) {
          const subscribers = page.getByRole('table', { name: 'Subscribers' });
          await subscribers.getByRole('cell', { name: LONG_USER }).waitFor(DEADLINE);
        }
        if (view === 'audit') {
          await page.getByRole('link', { name: LONG_USER }).first().waitFor(DEADLINE);
          await page.getByRole('link', { name: LONG_CHANNEL }).first().waitFor(DEADLINE);
        }
        if (view === 'events') await page.getByText('ppppp').first().waitFor(DEADLINE);
        if (view === 'webhooks') {
          await page.getByRole('button', { name: '1 dead' }).click();
          await opened.sees(/500 r+/);
        }
        const width = await page.evaluate('document.documentElement.scrollWidth');
        if (width !== size.width) overflowing.push(`${view.slice(0, 20)} on a ${at}: ${width}`);
        await opened.screenshots(`long-${view.slice(0, 9).replace('/', '-')}-${at}`);
      }
    }
    expect(overflowing).toEqual([]);
    expect(await opened.violations()).toEqual([]);
    expect(opened.errors).toEqual([]);
  }, 200_000);

  test('neither reorders the text beside it nor hides characters', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    await opened.view('Events');
    const client = open(broker, `/app/${APP.key}?protocol=7&client=${encodeURIComponent('مرحبا')}&version=1`);
    await client.established();
    const userId = 'ann\u202egpj.exe\u200b\u0007👩🏽‍💻';
    await client.join('presence-room', { user_id: userId, user_info: { name: '\u2066Eve' } });

    const shown = 'ann\\u202Egpj.exe\\u200B\\u0007👩🏽‍💻';
    const line = page.locator('.entries > li', { hasText: shown });
    await line.waitFor(DEADLINE);
    expect(await line.locator('.escape').allTextContents()).toEqual(['\\u202E', '\\u200B', '\\u0007']);
    const [name, address] = await page
      .locator('.entries > li', { hasText: 'مرحبا' })
      .locator('.detail bdi')
      .all();
    const [left, right] = [await name?.boundingBox(), await address?.boundingBox()];
    expect(left!.x + left!.width).toBeLessThan(right!.x);
    await opened.screenshots('bidi-events');

    await page.getByRole('link', { name: 'presence-room' }).click();
    await page.getByRole('cell', { name: shown }).waitFor(DEADLINE);
    await opened.sees('{"name":"');
    expect(await page.locator('.members .escape').allTextContents()).toEqual([
      '\\u202E',
      '\\u200B',
      '\\u0007',
      '\\u2066',
    ]);
    await opened.screenshots('bidi-channel');
    expect(opened.errors).toEqual([]);
  });

  test('leaves nine tenths of a phone to the view', async () => {
    const opened = await openSignedIn({ app: { name: 'Acme Widgets International' } });
    const { page } = opened;
    await page.setViewportSize(PHONE);
    const header = await page.locator('header').boundingBox();
    expect(header!.height).toBeLessThan(PHONE.height / 10);
    const keys = page.getByRole('navigation').getByRole('link', { name: 'Keys' });
    await keys.click();
    await page.getByRole('heading', { name: 'Keys', level: 2 }).waitFor(DEADLINE);
    const link = await keys.boundingBox();
    expect(link!.x + link!.width).toBeLessThanOrEqual(PHONE.width);
    await opened.screenshots('phone-header');
    expect(await opened.violations()).toEqual([]);
  });
});
