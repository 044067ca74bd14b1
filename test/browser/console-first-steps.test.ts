import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { APP } from '../helpers/brokers/server.ts';
import { authorize, connect } from '../helpers/clients/client.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openSignedIn } from './console-page.ts';

describeInChromium('the first steps of an app', () => {
  test('tick themselves off, name a refusal, and stay away once hidden', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const steps = page.getByRole('region', { name: 'First steps' });
    await steps.getByText('Connect a client').waitFor(DEADLINE);
    expect(await steps.locator('pre').innerText()).toContain(`new Countersign('${APP.key}'`);
    await steps.getByRole('button', { name: 'pusher-js' }).click();
    expect(await steps.locator('pre').innerText()).toContain(`wsPort: ${broker.port}`);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('first-steps');

    const client = await connect(broker);
    await steps.getByText('A client has connected').waitFor(DEADLINE);
    await publish(broker, 'news', 'hello', '{}');
    await steps.getByText('An event was published').waitFor(DEADLINE);
    client.subscribe('private-room', { auth: authorize('1.2', 'private-room') });
    await steps.getByRole('link', { name: 'refused: why?' }).waitFor(DEADLINE);
    await client.next();
    await client.join('private-room');
    await steps.getByText('Everything works').waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    await opened.screenshots('first-steps-phone');

    await steps.getByRole('button', { name: 'Hide' }).click();
    await steps.waitFor({ state: 'detached', ...DEADLINE });
    await page.reload();
    await opened.figure('connections', (value) => value === 1);
    expect(await steps.count()).toBe(0);
    expect(opened.errors).toEqual([]);
  });
});
