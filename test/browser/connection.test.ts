import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { describeInChromium, freshContext } from './chromium.ts';
import { startSite } from './site.ts';
import { expectReturn, SOON, startStage } from './stage.ts';
import { openTab } from './tab.ts';

describeInChromium('the connection of a page', () => {
  test('comes back after the broker restarted, and says "connecting" meanwhile', async () => {
    const broker = await startServer();
    const tab = await openTab(await freshContext(), await startSite(broker));
    await tab.connect(broker.port);
    await tab.join('news');
    await tab.forget();
    const { port } = broker;
    await broker.close();
    await tab.next('connection', 'connecting');
    const again = await startServer({ config: { port } });
    await tab.next('news', 'pusher:subscription_succeeded');
    await countersignFor(again).trigger('news', 'headline', 1);
    expect(await tab.next('news', 'headline')).toBe(1);
    await tab.expectHonest();
  });

  test('is replaced when the link died in silence, which its ping finds', async () => {
    const options = { activityTimeout: 500, pongTimeout: 500 };
    const stage = await startStage(await freshContext(), options);
    stage.wire.drop();
    const started = Date.now();
    await stage.tab.next('connection', 'connecting');
    expect(Date.now() - started).toBeLessThan(SOON);
    await expectReturn(stage);
  });

  test('offline and online again over a link that died: gone soon, and back soon', async () => {
    const stage = await startStage(await freshContext());
    const { tab, wire } = stage;
    wire.drop();
    await tab.page.context().setOffline(true);
    await tab.next('page', 'offline');
    const started = Date.now();
    await tab.next('connection', 'connecting');
    expect(Date.now() - started).toBeLessThan(SOON);
    await tab.page.context().setOffline(false);
    await tab.next('page', 'online');
    expect(await expectReturn(stage)).toBeLessThan(SOON);
  });
});
