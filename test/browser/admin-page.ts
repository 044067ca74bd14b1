import { createServer, parseConfig } from '@countersign/server';
import { onTestFinished } from 'vitest';
import { OWNER } from '../helpers/admin.ts';
import type { ServerSettings } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';
import { type ConsolePage, DEADLINE, openConsole, openConsoleOf } from './console-page.ts';

/** A broker with an app store and the token of an owner. */
export function administered(settings: ServerSettings = {}): ServerSettings {
  return { ...settings, config: { data: newFolder(), admin: { token: OWNER }, ...settings.config } };
}

export async function signInAs(opened: ConsolePage, token: string = OWNER): Promise<void> {
  const { page } = opened;
  await page.getByRole('button', { name: 'Administrator' }).click();
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** The console of an administrator of a broker whose file has these apps, on the page of all apps. */
export async function openAdminOf(apps: readonly object[]): Promise<ConsolePage> {
  const broker = await createServer(
    parseConfig({ port: 0, drainWindowSeconds: 0, data: newFolder(), admin: { token: OWNER }, apps }),
  );
  onTestFinished(() => broker.close());
  return enter(await openConsoleOf(broker));
}

/** The console of an administrator, on the page of all apps. */
export async function openAdmin(settings?: ServerSettings): Promise<ConsolePage> {
  return enter(await openConsole(administered(settings)));
}

async function enter(opened: ConsolePage): Promise<ConsolePage> {
  await signInAs(opened);
  await opened.page.getByRole('heading', { name: 'Apps', level: 2 }).waitFor(DEADLINE);
  return opened;
}

/** Opens an address of the console. */
export async function go({ page, broker }: ConsolePage, address: string): Promise<void> {
  await page.goto(`${broker.url}/console/#/${address}`);
}
