import { expect, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { describeInChromium, freshContext } from './chromium.ts';
import { startAuthOrigin, startSite } from './site.ts';
import { openTab } from './tab.ts';

describeInChromium('authorization from a page', () => {
  test('100 channels, one request; and one again after a reconnect', async () => {
    const first = await startServer();
    const site = await startSite(first);
    const tab = await openTab(await freshContext(), site, { user: 'ann' });
    const names = Array.from({ length: 100 }, (_, index) => `private-${index}`);
    await tab.connect(first.port);
    await tab.join(...names);
    expect(site.asked).toBe(1);
    const { port } = first;
    await first.close();
    await startServer({ config: { port } });
    for (const name of names) await tab.next(name, 'pusher:subscription_succeeded');
    expect(site.asked).toBe(2);
    await tab.expectHonest();
  });

  test('a page can await a subscription, and need not handle its refusal', async () => {
    const broker = await startServer();
    const site = await startSite(broker);
    const tab = await openTab(await freshContext(), site, { user: 'ann', artefact: 'esm' });
    await tab.connect(broker.port);
    await tab.subscribe('private-room');
    expect(await tab.ready('private-room')).toBeNull();
    const stranger = await openTab(await freshContext(), site, { artefact: 'esm' });
    await stranger.connect(broker.port);
    await stranger.subscribe('private-room');
    expect(await stranger.ready('private-room')).toBe('auth_failed');
    await stranger.expectHonest();
  });

  test('two tabs of one user are one member', async () => {
    const broker = await startServer();
    const site = await startSite(broker);
    const context = await freshContext();
    const tabs = [await openTab(context, site, { user: 'ann' }), await openTab(context, site)];
    for (const tab of tabs) {
      await tab.connect(broker.port);
      await tab.join('presence-lobby');
    }
    expect(await Promise.all(tabs.map((tab) => tab.members('presence-lobby')))).toEqual([1, 1]);
  });

  test('an endpoint of another origin gets the cookie when it is told to, and CORS lets the answer in', async () => {
    const broker = await startServer();
    const site = await startSite(broker);
    const other = await startAuthOrigin(broker, site.url);
    const endpoint = `${other.url}/countersign/auth`;
    const context = await freshContext();
    const signedIn = await openTab(context, site, { user: 'ann' });
    await signedIn.connect(broker.port, { channelAuthorization: { endpoint, credentials: 'include' } });
    await signedIn.join('private-room');
    const without = await openTab(context, site);
    await without.connect(broker.port, { channelAuthorization: { endpoint } });
    await without.subscribe('private-room');
    expect(await without.next('private-room', 'pusher:subscription_error')).toMatchObject({ status: 401 });
    expect(other.asked).toBe(2);
  });

  test('an endpoint of another origin that does not let the page in is a refusal', async () => {
    const broker = await startServer();
    const site = await startSite(broker);
    const other = await startAuthOrigin(broker, 'http://elsewhere.example');
    const tab = await openTab(await freshContext(), site, { user: 'ann' });
    const channelAuthorization = {
      endpoint: `${other.url}/countersign/auth`,
      credentials: 'include',
    } as const;
    await tab.connect(broker.port, { channelAuthorization });
    await tab.subscribe('private-room');
    expect(await tab.next('private-room', 'pusher:subscription_error')).toMatchObject({
      type: 'EndpointError',
      status: 0,
      message: expect.stringContaining('did not answer'),
    });
  });
});
