import { expect, onTestFinished, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE, openConsoleOf, openSignedIn } from './console-page.ts';

const BANNER = /^No data from the broker since \d\d:\d\d:\d\d\./;

/** The colour of the first number on the live view. */
function figureColour({ page }: ConsolePage): Promise<unknown> {
  return page.evaluate("getComputedStyle(document.querySelector('.figure')).color");
}

describeInChromium('data of a broker that does not answer', () => {
  test('is dimmed below a banner that says how old it is, until the broker is back', async () => {
    const data = newFolder();
    const opened = await openSignedIn({ config: { data } });
    const { page } = opened;
    const { port } = opened.broker;
    await connect(opened.broker);
    await opened.figure('connections', (value) => value === 1);
    const bright = await figureColour(opened);
    expect(await page.getByRole('alert').count()).toBe(0);

    await opened.broker.close();
    await page.getByRole('alert').filter({ hasText: BANNER }).waitFor(DEADLINE);
    expect(await figureColour(opened)).not.toBe(bright);
    await opened.screenshots('stale-live');
    expect(await opened.violations()).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    await opened.screenshots('stale-live-phone');
    await opened.view('Channels');
    await opened.sees('The broker does not answer.');
    await page.getByRole('alert').filter({ hasText: BANNER }).waitFor(DEADLINE);
    await opened.screenshots('stale-channels-phone');
    await opened.view('Live');

    const broker = await startServer({ config: { port, data } });
    await connect(broker);
    await page.getByText(BANNER).waitFor({ state: 'detached', ...DEADLINE });
    await opened.figure('connections', (value) => value === 1);
    expect(await figureColour(opened)).toBe(bright);
  });

  test('is dimmed, too, when the connection stays open and nothing comes through', async () => {
    const broker = await startServer();
    const valve = await Valve.open(broker.port);
    onTestFinished(() => valve.close());
    const opened = await openConsoleOf(broker, `http://127.0.0.1:${valve.port}`);
    await opened.signIn();
    await opened.figure('connections', (value) => value === 0);
    const bright = await figureColour(opened);
    valve.shut();
    await opened.sees(BANNER);
    expect(await figureColour(opened)).not.toBe(bright);
    valve.reopen();
    await opened.page.getByText(BANNER).waitFor({ state: 'detached', ...DEADLINE });
    expect(await figureColour(opened)).toBe(bright);
  });
});
