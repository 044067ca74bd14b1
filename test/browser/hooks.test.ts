/** Hooks that tell how far something is, and the devtools. */
import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { eventually } from '../helpers/clients/client-start.ts';
import { describeInChromium, freshContext } from './chromium.ts';
import { channelsOf, mounted, show, textOf } from './react-page.ts';
import { startSite } from './site.ts';
import { openTab } from './tab.ts';

describeInChromium('hooks that tell', () => {
  test('a subscription says how far it is and why it failed, and the console says it, too', async () => {
    const { tab } = await mounted();
    const warnings: string[] = [];
    tab.page.on('console', (message) => {
      if (message.type() === 'warning') warnings.push(message.text());
    });
    await show(tab, 'subscription');
    await eventually(() => textOf(tab, 'subscription')).toBe('undefined: idle, undefined');
    await tab.page.evaluate(`choose('private-forbidden')`);
    await eventually(() => textOf(tab, 'subscription')).toBe('private-forbidden: failed, endpoint_refused');
    await eventually(() => warnings.join('\n')).toMatch(/private-forbidden is not subscribed: .*status 403/);
    await tab.page.evaluate(`choose('private-room')`);
    await eventually(() => textOf(tab, 'subscription')).toBe('private-room: subscribed, undefined');
    await tab.page.evaluate('client.disconnect()');
    await eventually(() => textOf(tab, 'subscription')).toBe('private-room: subscribing, undefined');
    await tab.page.route('**/countersign/auth', (route) => route.fulfill({ status: 500 }));
    await tab.page.evaluate('client.connect()');
    await eventually(() => textOf(tab, 'subscription')).toBe('private-room: subscribing, endpoint_refused');
    await tab.page.unroute('**/countersign/auth');
    await eventually(() => textOf(tab, 'subscription')).toBe('private-room: subscribed, undefined');
    await tab.page.evaluate('choose(null)');
    await eventually(() => textOf(tab, 'subscription')).toBe('undefined: idle, undefined');
    await tab.expectHonest();
  });

  test('a component that comes after the refusal is told, too', async () => {
    const { tab } = await mounted();
    await tab.subscribe('private-forbidden');
    await tab.next('private-forbidden', 'pusher:subscription_error');
    await show(tab, 'subscription');
    await eventually(() => textOf(tab, 'subscription')).toContain('idle');
    await tab.page.evaluate(`choose('private-forbidden')`);
    await eventually(() => textOf(tab, 'subscription')).toBe('private-forbidden: failed, endpoint_refused');
  });

  test('the last events are shown, and the one that a cache channel has kept', async () => {
    const { broker, tab } = await mounted();
    const countersign = countersignFor(broker);
    await countersign.trigger('cache-news', 'headline', 'kept');
    await show(tab, 'events', 'latest');
    await eventually(() => textOf(tab, 'latest')).toBe('kept');
    await eventually(() => channelsOf(broker)).toEqual(['cache-news', 'news']);
    for (const data of ['a', 'b', 'c']) await countersign.trigger('news', 'headline', data);
    await eventually(() => textOf(tab, 'events')).toBe('b c');
    await countersign.trigger('cache-news', 'headline', 'new');
    await eventually(() => textOf(tab, 'latest')).toBe('new');
    await tab.expectHonest();
  });

  test('a selector of a presence renders again only when its value is another', async () => {
    const { broker, tab } = await mounted();
    await show(tab, 'named', 'lobby');
    await eventually(() => textOf(tab, 'named')).toBe('ann');
    const bob = await openTab(await freshContext(), await startSite(broker), { user: 'bob' });
    await bob.connect(broker.port);
    await bob.join('presence-lobby');
    await eventually(() => textOf(tab, 'named')).toBe('ann bob');
    const renders = await tab.page.evaluate('renders');
    // The presence is another object, with the same members.
    await tab.page.evaluate(`client.channel('presence-lobby').emit('pusher:member_added', {})`);
    await bob.page.close();
    await eventually(() => textOf(tab, 'named')).toBe('ann');
    // Strict mode renders twice.
    expect(await tab.page.evaluate('renders')).toBe(Number(renders) + 2);
    await tab.expectHonest();
  });

  test('the user is shown, and why a sign-in failed', async () => {
    const { tab } = await mounted();
    await show(tab, 'user');
    await eventually(() => textOf(tab, 'user')).toBe('undefined, undefined');
    await tab.page.route('**/countersign/user-auth', (route) => route.fulfill({ status: 403 }));
    await tab.page.evaluate('client.signin().catch(() => {})');
    await eventually(() => textOf(tab, 'user')).toBe('undefined, endpoint_refused');
    await tab.page.unroute('**/countersign/user-auth');
    await tab.signin();
    await eventually(() => textOf(tab, 'user')).toBe('ann, undefined');
    await tab.page.evaluate('client.disconnect()');
    await eventually(() => textOf(tab, 'user')).toBe('undefined, undefined');
    await tab.expectHonest();
  });

  test('the devtools show the connection, channels with why they failed, and frames', async () => {
    const { broker, tab } = await mounted();
    await tab.join('news');
    await show(tab, 'devtools');
    const drawer = tab.page.getByLabel('Countersign devtools');
    await eventually(() => drawer.textContent()).toContain('Countersign connected');
    await eventually(() => drawer.textContent()).toContain(String(await tab.socketId()));
    await countersignFor(broker).trigger('news', 'headline', { title: '<b>Hello</b>' });
    await eventually(() => drawer.textContent()).toMatch(
      /\d\d:\d\d:\d\d headline news {"title":"<b>Hello<\/b>"}/,
    );
    await tab.subscribe('private-forbidden');
    await eventually(() => drawer.textContent()).toMatch(
      /private-forbidden refused.* responded with status 403/,
    );
    await drawer.getByText('Disconnect').click();
    await eventually(() => drawer.textContent()).toContain('Countersign disconnected');
    await drawer.getByText('Connect', { exact: true }).click();
    await eventually(() => drawer.textContent()).toContain('Countersign connected');
    await drawer.getByText('Close').click();
    await tab.page.getByRole('button', { name: 'Countersign connected' }).click();
    await eventually(() => drawer.textContent()).toContain('Channels');
    await tab.expectHonest();
  });
});
