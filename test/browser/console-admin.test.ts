import { expect, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { APP } from '../helpers/brokers/server.ts';
import { administered, go, openAdmin, signInAs } from './admin-page.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openConsole } from './console-page.ts';

describeInChromium('the console of an administrator', () => {
  test('is opened by an admin token, which the browser does not keep, until the sign-out', async () => {
    const opened = await openConsole(administered());
    const { page } = opened;
    await signInAs(opened, 'csa_wrong');
    await opened.sees('No admin token is like this one');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('admin-sign-in');
    await signInAs(opened);
    await page.getByRole('heading', { name: 'Apps', level: 2 }).waitFor(DEADLINE);
    await opened.sees('env · owner');
    const kept = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    );
    expect(kept).not.toContain(OWNER);
    await page.reload();
    await page.getByRole('heading', { name: 'Apps', level: 2 }).waitFor(DEADLINE);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor(DEADLINE);
    await page.reload();
    await page.getByLabel('Token').waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('knows a token by its form, and hides it', async () => {
    const opened = await openConsole(administered());
    const { page, broker } = opened;
    const { body } = await admin(broker, 'POST', '/tokens', { body: { name: 'ops', role: 'operator' } });
    await page.getByLabel('Key').fill(body.token);
    expect(await page.getByLabel('Token').getAttribute('type')).toBe('password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await opened.sees('ops · operator');
    expect(await page.getByRole('link', { name: 'Tokens' }).count()).toBe(0);

    await admin(broker, 'DELETE', '/tokens/ops');
    await opened.sees('Your session has ended. Sign in again.');
    expect(opened.errors).toEqual([]);
  });

  test('shows a tenant and an accountant what they may see', async () => {
    const opened = await openConsole(administered());
    const { page, broker } = opened;
    const make = async (name: string, role: string, apps?: string[]) =>
      (await admin(broker, 'POST', '/tokens', { body: { name, role, ...(apps && { apps }) } })).body.token;
    const views = () => page.getByRole('navigation').getByRole('link').allTextContents();
    await signInAs(opened, await make('tenant', 'viewer', [APP.id]));
    await opened.sees('tenant · viewer');
    expect(await views()).toEqual(['Apps', 'Usage', 'Audit']);
    await go(opened, 'nodes');
    await opened.sees('There is no such view');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await signInAs(opened, await make('accounts', 'billing'));
    await opened.sees('accounts · billing');
    expect(await views()).toEqual(['Usage']);
    await page.getByRole('heading', { name: 'Usage', level: 2 }).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('is not offered where no admin token is configured', async () => {
    const opened = await openConsole();
    await opened.page.getByLabel('Secret').waitFor(DEADLINE);
    expect(await opened.page.getByRole('button', { name: 'Administrator' }).count()).toBe(0);
    await opened.page.getByLabel('Key').fill('csa_anything');
    expect(await opened.page.getByLabel('Secret').count()).toBe(1);
  });

  test('says so when the broker does not answer', async () => {
    const opened = await openAdmin();
    await opened.broker.close();
    const alert = opened.page.getByRole('alert').filter({ hasText: /No answer from the broker since/ });
    await alert.waitFor(DEADLINE);
    await expect.poll(() => opened.page.title(), DEADLINE).toMatch(/^No data/);
    expect(await opened.violations()).toEqual([]);
  });
});
