import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openConsoleOf } from './console-page.ts';

describeInChromium('the charts of the console', () => {
  test('show what the broker has kept from before the page was opened, with a scale and the value under the pointer', async () => {
    const broker = await startServer();
    const clients = await Promise.all(Array.from({ length: 7 }, () => connect(broker)));
    for (const client of clients) await client.join('news');
    await publish(broker, 'news', 'hello', '{}');
    const opened = await openConsoleOf(broker);
    await opened.signIn();
    await opened.live();
    const card = opened.page.getByRole('region', { name: 'Connections' });
    const chart = card.getByRole('slider', { name: 'Connections over time' });
    // The first sample is taken after five seconds, the page was open for less.
    const known = () => chart.getAttribute('aria-valuemax').then(Number);
    await expect.poll(known, DEADLINE).toBeGreaterThan(0);
    await card.locator('.most').getByText('10', { exact: true }).waitFor(DEADLINE);
    await chart.hover();
    await chart.focus();
    await opened.page.keyboard.press('ArrowLeft');
    await card.locator('.told strong').getByText('7', { exact: true }).waitFor(DEADLINE);
    expect(await chart.getAttribute('aria-valuetext')).toMatch(/^7 at \d\d:\d\d:\d\d$/);
    // All charts show the same moment.
    expect(await opened.page.locator('.told').count()).toBe(7);
    await opened.page.mouse.move(0, 0);
    for (const range of ['2 minutes', '24 hours', '15 minutes']) {
      await opened.page.getByRole('button', { name: range }).click();
      await expect.poll(known, DEADLINE).toBeGreaterThanOrEqual(0);
      expect(await opened.violations()).toEqual([]);
      await opened.screenshots(`live-${range.replace(' ', '-')}`);
    }
    await opened.page.getByRole('button', { name: '24 hours' }).click();
    expect(opened.page.url()).toMatch(/range=24h$/);
    await opened.page.reload();
    await opened.live();
    expect(await opened.page.getByRole('button', { name: '24 hours' }).getAttribute('aria-pressed')).toBe(
      'true',
    );
    expect(opened.errors).toEqual([]);
  });
});
