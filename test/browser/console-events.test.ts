import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { authorize, connect } from '../helpers/clients/client.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openSignedIn } from './console-page.ts';

describeInChromium('the events of the console', () => {
  test('say who received an event, and open to its readable data', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const client = await connect(broker);
    await client.join('news');
    await opened.view('Events');
    await publish(broker, 'nobody-here', 'lost', '{}');
    await publish(broker, 'news', 'headline', '{"title":"It works","list":[1]}');
    const lost = page.locator('.entries > li', { hasText: 'lost' });
    await lost.getByText('nobody received it').waitFor(DEADLINE);
    const line = page.locator('.entries > li', { hasText: 'headline' });
    await line.getByText('1 received it').waitFor(DEADLINE);
    await line.getByRole('button', { name: /Details of published/ }).press('Enter');
    expect(await line.locator('pre').innerText()).toBe(
      '{\n  "title": "It works",\n  "list": [\n    1\n  ]\n}',
    );
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('events-open');
    expect(opened.errors).toEqual([]);
  });

  test('are filtered by the address, which follows the filter', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const client = await connect(broker);
    await opened.page.goto(`${broker.url}/console/#/events?q=is%3Apublished+channel%3Anews`);
    await page.getByRole('button', { name: 'Published', pressed: true }).waitFor(DEADLINE);
    await opened.live();
    await client.join('news');
    await publish(broker, 'other', 'unseen', '{}');
    await publish(broker, 'news', 'seen', '{}');
    await opened.sees('seen');
    expect(await page.locator('.entries > li').count()).toBe(1);
    await page.getByLabel('Filter').fill('event:unseen');
    await opened.sees('unseen');
    expect(page.url()).toMatch(/#\/events\?q=event%3Aunseen$/);
    await page.getByLabel('Filter').fill('event:nothing-like-it');
    await opened.sees('No event matches the filter');
    await page.getByRole('button', { name: 'Refusals', exact: true }).click();
    expect(page.url()).toContain('is%3Arefused');
  });

  test('hold equal refusals in one group with one explanation, however many a second there are', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    await opened.view('Events');
    const before = await connect(broker);
    let client = before;
    const grouped = (times: number) =>
      page.getByRole('region', { name: `${times} times subscription refused` });
    // More than the broker explains, and fewer at a time than it leaves out.
    for (let n = 1; n <= 300; n += 1) {
      if (n % 100 === 1) client = await connect(broker);
      const channel = `private-orders-${n}`;
      client.subscribe(channel, { auth: authorize(before.socketId, channel) });
      if (n % 100 === 0) await grouped(n).waitFor(DEADLINE);
    }
    const group = grouped(300);
    expect(await group.innerText()).toContain('private-orders-*');
    await group.getByText(/Another socket id was signed/).waitFor(DEADLINE);
    expect(await page.locator('.entries > li.refused').count()).toBe(0);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('events-grouped');
    await group.getByRole('button', { name: 'Show all' }).click();
    await page.locator('.entries > li.refused').first().waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });
});
