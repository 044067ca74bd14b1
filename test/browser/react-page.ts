/** The page of React, which shows what a test names. */
import type { Broker } from '@countersign/server';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { freshContext } from './chromium.ts';
import { startSite } from './site.ts';
import { openTab, type Tab } from './tab.ts';

/** A page of React in strict mode, which shows nothing yet. */
export async function mounted(settings?: ServerSettings): Promise<{ broker: Broker; tab: Tab }> {
  const broker = await startServer(settings);
  const tab = await openTab(await freshContext(), await startSite(broker), {
    artefact: 'react',
    user: 'ann',
  });
  await tab.connect(broker.port);
  await tab.page.evaluate('mount()');
  await tab.next('connection', 'connected');
  return { broker, tab };
}

/** Shows the parts of these names, and nothing else. */
export function show({ page }: Tab, ...parts: string[]): Promise<unknown> {
  return page.evaluate(
    (names) => (globalThis as unknown as { show(names: string[]): void }).show(names),
    parts,
  );
}

/** Shows nothing, and these parts right after that: on a busy machine too, no timer of the page ends in between. */
export function showAfresh({ page }: Tab, ...parts: string[]): Promise<unknown> {
  return page.evaluate(async (names) => {
    const { show } = globalThis as unknown as { show(names: string[]): void };
    show([]);
    await new Promise((resolve) => setTimeout(resolve));
    show(names);
  }, parts);
}

export const textOf = ({ page }: Tab, id: string) => page.locator(`#${id}`).textContent();

/** The channels that somebody is subscribed to. */
export const channelsOf = async (broker: Broker) =>
  Object.keys((await countersignFor(broker).channels()).channels);
