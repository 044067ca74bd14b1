import { OWNER } from '../helpers/admin.ts';
import type { ServerSettings } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';
import { type ConsolePage, DEADLINE, openConsole } from './console-page.ts';

/** A broker with an app store and the token of an owner. */
export function administered(settings: ServerSettings = {}): ServerSettings {
  return { ...settings, config: { data: newFolder(), admin: { token: OWNER }, ...settings.config } };
}

export async function signInAs(opened: ConsolePage, token: string = OWNER): Promise<void> {
  const { page } = opened;
  await page.getByRole('button', { name: 'Admin token' }).click();
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** The console of an administrator, on the page of all apps. */
export async function openAdmin(settings?: ServerSettings): Promise<ConsolePage> {
  const opened = await openConsole(administered(settings));
  await signInAs(opened);
  await opened.page.getByRole('heading', { name: 'Apps', level: 2 }).waitFor(DEADLINE);
  return opened;
}

/** Opens an address of the console. */
export async function go({ page, broker }: ConsolePage, address: string): Promise<void> {
  await page.goto(`${broker.url}/console/#/${address}`);
}
