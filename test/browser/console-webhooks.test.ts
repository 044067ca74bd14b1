import { expect, test } from 'vitest';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { connect } from '../helpers/clients/client.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openSignedIn } from './console-page.ts';

describeInChromium('the webhooks of the console', () => {
  test('show the successes and latency of 24 hours, each attempt with request and answer, and the next try', async () => {
    const receiver = await startReceiver();
    const hook = {
      id: 'orders',
      url: receiver.url(),
      events: ['channel_occupied'],
      headers: { Authorization: 'Bearer our-own-secret' },
    };
    const opened = await openSignedIn({ app: { webhooks: [hook] } });
    const { page } = opened;
    const client = await connect(opened.broker);
    for (let n = 0; n < 9; n += 1) {
      await client.join(`room-${n}`);
      await receiver.next();
    }
    receiver.reply = status(503, {}, 'closed for lunch');
    await client.join('late');
    await receiver.next();
    await opened.view('Webhooks');
    const panel = page.getByRole('region', { name: 'Webhook orders' });
    await panel.getByText('failing', { exact: true }).first().waitFor(DEADLINE);
    await panel.getByText(/^(90|81\.8|75) %$/).waitFor(DEADLINE);
    await panel.getByText(/^of \d+ attempts$/).waitFor(DEADLINE);
    await panel
      .getByText(/^\d+ ms$/)
      .first()
      .waitFor(DEADLINE);
    const bars = panel.getByRole('slider', { name: 'Attempts over time' });
    expect(await bars.getAttribute('aria-valuetext')).toMatch(/^9 delivered, [1-3] failed at /);

    await panel.getByRole('button', { name: /^Last \d+ attempts$/ }).click();
    const attempts = panel.getByRole('table', { name: 'Last attempts' });
    await attempts.getByText('503').first().waitFor(DEADLINE);
    expect(await attempts.getByText('204').count()).toBe(9);
    await attempts
      .getByRole('button', { name: /^Request and answer at / })
      .first()
      .click();
    await attempts.getByText('closed for lunch').waitFor(DEADLINE);
    await attempts.getByText('"channel": "late"').waitFor(DEADLINE);
    await attempts.getByText('webhook-signature').waitFor(DEADLINE);
    await attempts.getByText('(hidden)').waitFor(DEADLINE);
    expect(await page.content()).not.toContain('our-own-secret');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('webhook-attempts');

    await panel.getByRole('button', { name: /^1 failing$/ }).click();
    await panel.getByText(/^(in \d+ s|now)$/).waitFor(DEADLINE);
    await page.setViewportSize({ width: 390, height: 844 });
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBe(390);
    await opened.screenshots('webhook-attempts-390');
    receiver.reply = status(204);
    await panel.getByRole('button', { name: 'Send now', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send now' }).click();
    await panel.getByText('active', { exact: true }).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });
});
