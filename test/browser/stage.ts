import type { Broker } from '@countersign/server';
import type { BrowserContext } from 'playwright-core';
import { expect } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { startWire, type Wire } from '../helpers/clients/client-wire.ts';
import { startSite } from './site.ts';
import { openTab, type Tab } from './tab.ts';

/** Most ms from a reason to doubt the link to a new subscription, on a busy machine. Without one it takes two minutes. */
export const SOON = 10_000;

/** A page that is connected over a wire and has joined `news`. */
export interface Stage {
  readonly broker: Broker;
  readonly wire: Wire;
  readonly tab: Tab;
  readonly socketId: unknown;
}

export async function startStage(
  context: BrowserContext,
  options: Parameters<Tab['connect']>[1] = {},
): Promise<Stage> {
  const broker = await startServer();
  const wire = await startWire(broker);
  const tab = await openTab(context, await startSite(broker));
  await tab.connect(wire.port, options);
  await tab.join('news');
  await tab.forget();
  return { broker, wire, tab, socketId: await tab.socketId() };
}

/** The page subscribes again, on another connection, and hears. Answers how many ms the subscription took from now. */
export async function expectReturn({ tab, broker, socketId }: Stage): Promise<number> {
  const started = Date.now();
  await tab.next('news', 'pusher:subscription_succeeded');
  const elapsed = Date.now() - started;
  expect(await tab.socketId()).not.toBe(socketId);
  await countersignFor(broker).trigger('news', 'headline', 'again');
  expect(await tab.next('news', 'headline')).toBe('again');
  await tab.expectHonest();
  return elapsed;
}
