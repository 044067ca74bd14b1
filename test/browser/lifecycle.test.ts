import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { describeInChromium, freshContext, ordinaryBrowser } from './chromium.ts';
import { startSite } from './site.ts';
import { expectReturn, SOON, startStage } from './stage.ts';
import { openTab } from './tab.ts';

describeInChromium('a page that is not in front', () => {
  test('hidden, it goes on hearing', async () => {
    const { broker, tab } = await startStage(await ordinaryBrowser());
    await tab.hide();
    await countersignFor(broker).trigger('news', 'headline', 'unseen');
    expect(await tab.next('news', 'headline')).toBe('unseen');
  });

  test('shown again over a link that died meanwhile, it is back soon', async () => {
    const stage = await startStage(await ordinaryBrowser());
    await stage.tab.hide();
    stage.wire.drop();
    await stage.tab.show();
    expect(await expectReturn(stage)).toBeLessThan(SOON);
  });

  test('thawed over a link that died meanwhile, it is back soon', async () => {
    const stage = await startStage(await ordinaryBrowser());
    await stage.tab.hide();
    await stage.tab.freeze();
    stage.wire.drop();
    await stage.tab.thaw();
    expect(await expectReturn(stage)).toBeLessThan(SOON);
  });

  test('thawed, it hears again, whatever the browser has done with its socket', async () => {
    const { broker, tab } = await startStage(await ordinaryBrowser());
    await tab.hide();
    await tab.freeze();
    await tab.thaw();
    // Channels are joined in order, so `news` is when the other one is.
    await tab.join('marker');
    await countersignFor(broker).trigger('news', 'headline', 1);
    expect(await tab.next('news', 'headline')).toBe(1);
    await tab.expectHonest();
  });

  test('left, it is gone at once; and back soon when its user comes back', async () => {
    const broker = await startServer();
    const site = await startSite(broker);
    const bob = await openTab(await freshContext(), site, { user: 'bob' });
    await bob.connect(broker.port);
    await bob.join('presence-lobby');
    const ann = await openTab(await ordinaryBrowser(), site, { user: 'ann' });
    await ann.connect(broker.port);
    await ann.join('presence-lobby');
    expect(await bob.next('presence-lobby', 'pusher:member_added')).toMatchObject({ id: 'ann' });
    await ann.page.goto(`${site.url}/away`);
    expect(await bob.next('presence-lobby', 'pusher:member_removed')).toMatchObject({ id: 'ann' });
    const started = Date.now();
    await ann.page.goBack({ waitUntil: 'commit' });
    expect(await bob.next('presence-lobby', 'pusher:member_added')).toMatchObject({ id: 'ann' });
    expect(Date.now() - started).toBeLessThan(SOON);
    // The browser kept the page, so it is the same client.
    expect(await ann.next('page', 'kept')).toBeUndefined();
    await ann.expectHonest();
  });
});
