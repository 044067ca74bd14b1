import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { authorize, connect, type TestClient } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE, openSignedIn, SCHEMES } from './console-page.ts';

const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const CHANNELS = 5000;
const CHANNELS_OF_ONE = 250;
const LONG = 'long-name-'.repeat(30);
const LONG_CHANNEL = `presence-${LONG}`.slice(0, 300);
const USER = 'u'.repeat(128);

/** Pictures of views at a desk and on a phone, in light and dark. @returns what is wider than its window */
async function picture(opened: ConsolePage, state: string, views: Readonly<Record<string, string>>) {
  const { page, broker } = opened;
  const tooWide: string[] = [];
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const [name, view] of Object.entries(views)) {
      // The probe is a page of its own, which a broker that is down cannot serve.
      await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}`)}`);
      await page.locator('main h2').first().waitFor(DEADLINE);
      if (name === 'connection' && state === 'full') await opened.sees('open');
      await page.waitForLoadState('networkidle');
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        await opened.screenshot(`view-${state}-${name}-${size}-${colorScheme}`);
      }
      const width = await page.evaluate('document.documentElement.scrollWidth');
      if (width !== viewport.width) tooWide.push(`${state} ${name} at a ${size} of ${broker.url}: ${width}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return tooWide;
}

/** Clients that are in many channels, whose names are as long as they can be. */
async function fill({ broker }: ConsolePage): Promise<TestClient> {
  const members = await Promise.all(
    Array.from({ length: CHANNELS / CHANNELS_OF_ONE }, () => connect(broker)),
  );
  await Promise.all(
    members.map(async (client, m) => {
      for (let n = 0; n < CHANNELS_OF_ONE; n += 1) await client.join(`room-${m}-${n}-${LONG}`.slice(0, 300));
    }),
  );
  const ann = await connect(broker);
  await ann.signIn({ id: USER });
  await ann.join(LONG_CHANNEL, { user_id: USER, user_info: { name: LONG } });
  for (let n = 0; n < 5; n += 1)
    await publish(broker, LONG_CHANNEL, LONG.slice(0, 200), JSON.stringify({ n, LONG }));
  for (let n = 0; n < 3; n += 1)
    ann.subscribe(`private-orders-${n}`, { auth: authorize('1.2', `private-orders-${n}`) });
  return ann;
}

describeInChromium('every view of the console', () => {
  test('fits its window with nothing in it, with 5,000 channels of long names, and without its broker', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(500, {}, LONG);
    const opened = await openSignedIn({
      app: {
        name: 'Acme',
        keys: [{ key: APP.key, secret: APP.secret }],
        history: [{ channels: 'presence-*', seconds: 600, messages: 100 }],
        webhooks: [
          {
            id: 'orders',
            url: receiver.url(`/${LONG}`),
            events: ['channel_occupied'],
            channelPrefix: 'presence-',
          },
        ],
      },
      limits: { channelNameLength: 300, subscriptionsPerConnection: CHANNELS_OF_ONE },
      config: { audit: { enabled: true }, data: newFolder() },
    });
    const { page, broker } = opened;
    const lists = {
      live: 'live',
      channels: 'channels',
      users: 'users',
      events: 'events',
      audit: 'audit',
      recordings: 'recordings',
      publish: 'publish',
      webhooks: 'webhooks',
      keys: 'keys',
    };
    const tooWide = await picture(opened, 'empty', lists);

    const ann = await fill(opened);
    await page.evaluate("location.hash = '#/channels'");
    await page.getByText(/5,001/).first().waitFor(DEADLINE);
    await receiver.next();
    const things = {
      channel: `channels/${LONG_CHANNEL}`,
      user: `users/${USER}`,
      connection: `connections/${ann.socketId}`,
    };
    tooWide.push(...(await picture(opened, 'full', { ...lists, ...things })));
    expect(await opened.violations()).toEqual([]);
    expect(opened.errors).toEqual([]);

    await broker.close();
    await page.getByRole('alert').filter({ hasText: 'No data from the broker since' }).waitFor(DEADLINE);
    tooWide.push(...(await picture(opened, 'down', { ...lists, ...things })));
    expect(tooWide).toEqual([]);
  }, 300_000);
});
