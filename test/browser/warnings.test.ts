import type { CountersignOptions, Countersign as Sdk } from '@countersign/sdk-client';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startAuthEndpoint } from '../helpers/clients/client-auth-endpoint.ts';
import { eventually } from '../helpers/clients/client-start.ts';
import { mistakesOf } from '../helpers/mistakes.ts';
import { describeInChromium, freshContext } from './chromium.ts';
import { startAuthOrigin, startSite } from './site.ts';
import { openTab } from './tab.ts';

/** What the developer reads of our client in the console of the browser. */
function warningsOf(page: Page): string[] {
  const lines: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'warning') lines.push(message.text());
  });
  return lines;
}

/** Starts a client that nobody listens to, in the page. */
async function start(
  page: Page,
  port: number,
  options: Partial<CountersignOptions>,
  channel: string,
): Promise<void> {
  await page.evaluate(
    ([key, settings, name]) => {
      const { Countersign } = globalThis as unknown as { Countersign: typeof Sdk };
      new Countersign(key, settings).subscribe(name);
    },
    [APP.key, { host: '127.0.0.1', port, forceTLS: false, ...options }, channel] as const,
  );
}

describeInChromium('what a developer reads in the console of the browser', () => {
  test('nothing listens; TLS to a port without it; a name with a space', async () => {
    const gone = await startServer();
    const { port } = gone;
    const broker = await startServer();
    const { page } = await openTab(await freshContext(), await startSite(broker));
    await gone.close();
    const lines = warningsOf(page);
    await start(page, port, {}, 'news');
    await eventually(() => lines.join('\n')).toContain(`Not connected to ws://127.0.0.1:${port}/app/key-1: `);
    expect(lines.join('\n')).toContain('Does the broker run there (host, port, path)?');
    await start(page, broker.port, { forceTLS: true }, 'news');
    await eventually(() => lines.join('\n')).toMatch(
      /Not connected to wss:.* If the port does not speak TLS, set forceTLS: false/,
    );
    await start(page, broker.port, {}, 'my news');
    await eventually(() => lines.join('\n')).toMatch(/my news is not subscribed: .*#invalid_channel/);
  });

  test('CORS, cookies that were not sent, a redirect: by the endpoint, and with the origin of the page', async () => {
    const broker = await startServer();
    const site = await startSite(broker);
    const { page } = await openTab(await freshContext(), site, { user: 'ann' });
    const lines = warningsOf(page);
    const closed = await startAuthOrigin(broker, 'http://elsewhere.example');
    const subscribe = (endpoint: string, name: string) =>
      start(page, broker.port, { channelAuthorization: { endpoint } }, name);

    const told = new Map(mistakesOf('Of two origins').map(({ number, told }) => [number, told]));
    const says = (row: number) => eventually(() => lines.join('\n')).toMatch(told.get(row) ?? '');
    await subscribe(`${closed.url}/countersign/auth`, 'private-cors');
    await says(22);
    expect(lines.join('\n')).toContain(`Access-Control-Allow-Origin: ${site.url}`);
    expect(lines.join('\n')).toContain(`With authRouter: origins: ['${site.url}']`);

    const wild = await startAuthEndpoint(() => ({
      headers: { 'Access-Control-Allow-Origin': '*' },
      body: { auth: '' },
    }));
    lines.length = 0;
    await start(
      page,
      broker.port,
      { channelAuthorization: { endpoint: wild.url, credentials: 'include' } },
      'private-wild',
    );
    await says(23);
    expect(lines.join('\n')).toContain(wild.url);

    const opened = await startAuthOrigin(broker, site.url);
    await subscribe(`${opened.url}/countersign/auth`, 'private-cookie');
    await says(24);

    const { url } = await startAuthEndpoint(() => ({
      status: 302,
      headers: { Location: '/login', 'Access-Control-Allow-Origin': site.url },
    }));
    await subscribe(url, 'private-login');
    await eventually(() => lines.join('\n')).toMatch(
      /private-login is not subscribed: .*redirects \(the browser hides where to\).*login page/,
    );
  });
});
