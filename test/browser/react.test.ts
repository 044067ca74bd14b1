import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { eventually } from '../helpers/clients/client-start.ts';
import { describeInChromium, freshContext } from './chromium.ts';
import { channelsOf, mounted, show, showAfresh, textOf } from './react-page.ts';
import { startSite } from './site.ts';
import { openTab } from './tab.ts';

describeInChromium('React', () => {
  test('the state of the connection is shown as it changes', async () => {
    const { tab } = await mounted();
    await show(tab, 'state');
    await eventually(() => textOf(tab, 'state')).toBe('connected');
    await tab.page.evaluate('client.disconnect()');
    await eventually(() => textOf(tab, 'state')).toBe('disconnected');
    await tab.expectHonest();
  });

  test('a grant that ends is shown, when it is renewed and when it is not', async () => {
    const { tab } = await mounted({ app: { grants: { maxSeconds: 3 } } });
    await show(tab, 'access');
    await eventually(() => textOf(tab, 'access')).toMatch(/^subscribed: \d+$/);
    const before = await textOf(tab, 'access');
    await eventually(async () => (await textOf(tab, 'access')) !== before).toBe(true);
    expect(await textOf(tab, 'access')).toMatch(/^subscribed: \d+$/);
    await tab.page.route('**/countersign/auth', (route) => route.abort());
    await eventually(() => textOf(tab, 'access')).toBe('expired: undefined');
    await tab.page.unroute('**/countersign/auth');
    await eventually(() => textOf(tab, 'access')).toMatch(/^subscribed: \d+$/);
    await tab.expectHonest();
  });

  test('a state is shown with the events that came while it was loaded, and loaded again after a gap', async () => {
    const { broker, tab } = await mounted();
    const countersign = countersignFor(broker);
    await tab.page.evaluate(
      "loads = 0; loadState = () => new Promise((resolve) => { proceed = () => resolve('state ' + ++loads) })",
    );
    await show(tab, 'counted', 'first');
    await eventually(async () => (await channelsOf(broker)).length).toBe(1);
    await countersign.trigger('news', 'headline', 'a');
    await eventually(() => textOf(tab, 'first')).toBe('a ');
    expect(await textOf(tab, 'counted')).toBe('loading');
    await tab.page.evaluate('proceed()');
    await eventually(() => textOf(tab, 'counted')).toBe('state 1 a');
    await countersign.trigger('news', 'headline', 'b');
    await eventually(() => textOf(tab, 'counted')).toBe('state 1 a b');
    await tab.page.evaluate('proceed = undefined; client.disconnect(); client.connect()');
    await eventually(() => tab.page.evaluate('typeof proceed')).toBe('function');
    await tab.page.evaluate('proceed()');
    await eventually(() => textOf(tab, 'counted')).toBe('state 2');
    await tab.expectHonest();
  });

  test('an event is heard once by each component, however many come before the next render', async () => {
    const { broker, tab } = await mounted();
    await show(tab, 'first', 'second', 'channel');
    await eventually(() => channelsOf(broker)).toEqual(['news']);
    // It is strict mode indeed, which mounts each twice.
    expect(await tab.page.evaluate('effects')).toBe(4);
    const events = ['a', 'b', 'c'].map((data) => ({ channel: 'news', name: 'headline', data }));
    await countersignFor(broker).triggerBatch(events);
    await eventually(() => textOf(tab, 'first')).toBe('a b c ');
    expect(await textOf(tab, 'second')).toBe('a b c ');
    expect(await textOf(tab, 'channel')).toBe('news');
    await tab.expectHonest();
  });

  test('a listener is that of the last render, from the moment that it is committed', async () => {
    const { broker, tab } = await mounted();
    await show(tab, 'labelled');
    await eventually(() => channelsOf(broker)).toEqual(['news']);
    await countersignFor(broker).trigger('news', 'headline', 'a');
    await eventually(() => tab.page.evaluate('said')).toEqual(['first a']);
    // In one turn of the page: the render, and an event before anything else can run.
    await tab.page.evaluate(`{ setLabel('second'); client.channel('news').emit('headline', 'b'); }`);
    expect(await tab.page.evaluate('said')).toEqual(['first a', 'second b']);
    await tab.expectHonest();
  });

  test('without a name there is no subscription, and with one there is', async () => {
    const { broker, tab } = await mounted();
    await show(tab, 'undecided');
    await eventually(() => textOf(tab, 'undecided')).toBe('none: false');
    await tab.page.evaluate(`decide('presence-lobby')`);
    await eventually(() => textOf(tab, 'undecided')).toBe('presence-lobby: true');
    await countersignFor(broker).trigger('presence-lobby', 'headline', 'a');
    await eventually(() => textOf(tab, 'undecided')).toBe('presence-lobby: a true');
    for (const none of ['undefined', 'null', `''`]) {
      await tab.page.evaluate(`decide(${none})`);
      await eventually(() => textOf(tab, 'undecided')).toBe('none: a false');
    }
    await eventually(() => channelsOf(broker)).toEqual([]);
    await tab.expectHonest();
  });

  test('the app and its components use a channel together, whoever comes and leaves first', async () => {
    const { broker, tab } = await mounted();
    await tab.join('news');
    await show(tab, 'first');
    await eventually(() => textOf(tab, 'first')).toBe('');
    await tab.page.evaluate(`client.unsubscribe('news')`);
    await countersignFor(broker).trigger('news', 'headline', 'a');
    await eventually(() => textOf(tab, 'first')).toBe('a ');
    await tab.page.evaluate(`client.subscribe('news')`);
    await show(tab);
    await show(tab, 'lobby');
    await eventually(() => textOf(tab, 'lobby')).toBe('in: ann; me: ann');
    await show(tab);
    // The one that only components used goes at the same moment as the other would.
    await eventually(() => channelsOf(broker)).toEqual(['news']);
    await tab.page.evaluate(`client.unsubscribe('news')`);
    await eventually(() => channelsOf(broker)).toEqual([]);
    await tab.expectHonest();
  });

  test('a channel stays while one component uses it, and is left some time after the last', async () => {
    const { broker, tab } = await mounted();
    await show(tab, 'first', 'second');
    await eventually(() => channelsOf(broker)).toEqual(['news']);
    await show(tab, 'second');
    await tab.page.evaluate('client.subscribe("marker")');
    await tab.next('connection', 'message');
    await countersignFor(broker).trigger('news', 'headline', 'still');
    await eventually(() => textOf(tab, 'second')).toBe('still ');
    // What one component leaves and another takes up at once is the same subscription.
    await showAfresh(tab, 'first');
    await countersignFor(broker).trigger('news', 'headline', 'again');
    await eventually(() => textOf(tab, 'first')).toBe('again ');
    const subscriptions = await tab.page.evaluate(
      `probe.heard.filter(({ event, data }) => event === 'message' && data.channel === 'news' && data.event.endsWith('succeeded')).length`,
    );
    expect(subscriptions).toBe(1);
    await show(tab);
    await eventually(() => channelsOf(broker)).toEqual(['marker']);
    await tab.expectHonest();
  });

  test('what the app itself has subscribed to is not left', async () => {
    const { broker, tab } = await mounted();
    await tab.join('news');
    await show(tab, 'first', 'lobby');
    await eventually(() => textOf(tab, 'lobby')).toBe('in: ann; me: ann');
    await show(tab);
    // The one that was subscribed by the component goes at the same moment as the other would.
    await eventually(() => channelsOf(broker)).toEqual(['news']);
  });

  test('members of a presence channel come, go, and are none without a connection', async () => {
    const { broker, tab } = await mounted();
    await show(tab, 'lobby');
    await eventually(() => textOf(tab, 'lobby')).toBe('in: ann; me: ann');
    const bob = await openTab(await freshContext(), await startSite(broker), { user: 'bob' });
    await bob.connect(broker.port);
    await bob.join('presence-lobby');
    await eventually(() => textOf(tab, 'lobby')).toBe('in: ann, bob; me: ann');
    await bob.page.close();
    await eventually(() => textOf(tab, 'lobby')).toBe('in: ann; me: ann');
    await tab.page.evaluate('client.disconnect()');
    await eventually(() => textOf(tab, 'lobby')).toBe('out: ; me: undefined');
    await tab.page.evaluate('client.connect()');
    await eventually(() => textOf(tab, 'lobby')).toBe('in: ann; me: ann');
    await tab.expectHonest();
  });
});
