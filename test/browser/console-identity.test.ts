/** Signing in to the console with an identity provider. */
import { createServer } from '@countersign/server';
import { expect, onTestFinished, test } from 'vitest';
import { admin } from '../helpers/admin.ts';
import { configOf, type ServerSettings } from '../helpers/brokers/server.ts';
import { Visitor } from '../helpers/console.ts';
import { newFolder } from '../helpers/folder.ts';
import {
  CLIENT,
  type Identity,
  startIdentityProvider,
  type TestProvider,
} from '../helpers/identity-provider.ts';
import { recordLog } from '../helpers/log.ts';
import { freePort } from '../helpers/redis/redis.ts';
import { describeInChromium } from './chromium.ts';
import { type ConsolePage, DEADLINE, openConsoleOf } from './console-page.ts';

const ANA: Identity = {
  sub: 'u-1',
  email: 'ana@example.com',
  email_verified: true,
  groups: ['everybody', 'support', 'platform'],
};

interface World {
  readonly provider: TestProvider;
  readonly settings: ServerSettings;
  readonly console: ConsolePage;
}

const start = async (settings: ServerSettings) => {
  const broker = await createServer(configOf(settings), settings.parts);
  onTestFinished(() => broker.close());
  return broker;
};

/** A broker and its provider, which sends browsers back to this broker only. */
async function openWorld(
  user: Identity,
  claimsIn?: 'idToken' | 'userinfo',
  parts?: ServerSettings['parts'],
): Promise<World> {
  const port = await freePort();
  const provider = await startIdentityProvider(
    `http://127.0.0.1:${port}/console/sign-in/callback`,
    user,
    claimsIn,
  );
  const oidc = {
    ...{ issuer: provider.issuer, ...CLIENT, roleClaim: 'groups' },
    roles: { platform: 'operator', support: 'viewer' },
  };
  const settings = { config: { port, data: newFolder(), admin: { oidc } }, ...(parts && { parts }) };
  return { provider, settings, console: await openConsoleOf(await start(settings)) };
}

async function signIn({ page }: ConsolePage): Promise<void> {
  await page.getByRole('button', { name: 'Administrator' }).click();
  await page.getByRole('link', { name: /^Sign in with 127\.0\.0\.1:/ }).click();
}

/** The same browser without its pages. */
async function visitorOf({ page, broker }: ConsolePage): Promise<Visitor> {
  const visitor = new Visitor(broker);
  const cookies = await page.context().cookies();
  const { name, value } = cookies.find((cookie) => cookie.name === 'countersign-admin') ?? {};
  visitor.cookie = `${name}=${value}`;
  return visitor;
}

describeInChromium('the sign-in with an identity provider', () => {
  test.each(['idToken', 'userinfo'] as const)(
    'gives the strongest role of the user, whose claims are in the answer %s, until the sign-out',
    async (claimsIn) => {
      const { console: opened } = await openWorld(ANA, claimsIn);
      const { page, broker } = opened;
      await page.getByRole('button', { name: 'Administrator' }).click();
      expect(await opened.violations()).toEqual([]);
      await opened.screenshots('admin-sign-in-provider');
      await signIn(opened);
      await opened.sees('oidc:ana@example.com · operator');
      const visitor = await visitorOf(opened);
      const made = await visitor.ask('POST', 'admin/v1/apps', '{"name":"Shop"}', {
        'X-Countersign-Console': '1',
        'Content-Type': 'application/json',
      });
      expect(made).toMatchObject({ status: 201 });
      expect(await visitor.ask('GET', 'admin/v1/audit')).toMatchObject({
        body: { events: [{ type: 'app.created', actor: 'oidc:ana@example.com' }] },
      });
      expect(await visitor.ask('GET', 'admin/v1/tokens')).toMatchObject({ status: 403 });
      // A session is no token, and there is none.
      expect((await admin(broker, 'GET', '/apps')).status).toBe(404);

      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('button', { name: 'Administrator' }).waitFor(DEADLINE);
      expect(await visitor.ask('GET', 'admin/v1/apps')).toMatchObject({ status: 401 });
      expect(opened.errors).toEqual([]);
    },
  );

  test('knows nobody by an address that nobody has verified', async () => {
    const { console: opened } = await openWorld({ ...ANA, email_verified: false });
    await signIn(opened);
    await opened.sees('oidc:u-1 · operator');
  });

  test('refuses who has no role, once', async () => {
    const { log, lines } = recordLog('info');
    const { console: opened } = await openWorld({ ...ANA, groups: ['everybody', 'toString'] }, 'idToken', {
      log,
    });
    await signIn(opened);
    await opened.sees(/You have no role here/);
    await opened.page.reload();
    await opened.page.getByRole('button', { name: 'Administrator' }).waitFor(DEADLINE);
    expect(await opened.page.getByText(/You have no role here/).count()).toBe(0);
    expect(JSON.stringify(lines)).not.toContain(CLIENT.clientSecret);
    expect(JSON.stringify(lines)).toContain('console sign-in refused');
  });

  test('says so when the provider does not answer, and asks it again', async () => {
    const { provider, console: opened } = await openWorld(ANA);
    await provider.close();
    await signIn(opened);
    await opened.sees(/The identity provider does not answer/);
    await provider.open();
    await signIn(opened);
    await opened.sees('oidc:ana@example.com · operator');
  });

  test('lets nobody in who comes back to another browser, or with an invented answer', async () => {
    const { console: opened } = await openWorld(ANA);
    const { page, broker } = opened;
    const returns: string[] = [];
    page.on('request', (request) => {
      if (request.url().includes('/sign-in/callback?')) returns.push(request.url());
    });
    await signIn(opened);
    await opened.sees('oidc:ana@example.com · operator');
    const [answer = ''] = returns;
    const path = answer.slice(`${broker.url}/console/`.length);
    const stranger = new Visitor(broker);
    const refusedWith = async (address: string) => (await stranger.get(address)).headers.get('location');
    expect(await refusedWith(path)).toBe('/console/?refused=console_sign_in_required');

    const departure = await stranger.get('sign-in/');
    stranger.cookie = departure.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
    // The code of someone else, under another state; under the state of this browser; and an error of the provider.
    const state = new URL(departure.headers.get('location') ?? '').searchParams.get('state') ?? '';
    const foreign = new URLSearchParams(path.split('?')[1]);
    expect(await refusedWith(path)).toBe('/console/?refused=identity_refused');
    foreign.set('state', state);
    expect(await refusedWith(`sign-in/callback?${foreign}`)).toBe('/console/?refused=identity_refused');
    expect(await refusedWith(`sign-in/callback?error=access_denied&state=${state}`)).toBe(
      '/console/?refused=identity_refused',
    );
    expect(stranger.cookie).not.toContain('countersign-admin');
  });

  test('ends when the roles of the configuration change, and outlives a restart otherwise', async () => {
    const { settings, console: opened } = await openWorld(ANA);
    await signIn(opened);
    await opened.sees('oidc:ana@example.com · operator');
    const { cookie } = await visitorOf(opened);
    const { admin: administration } = settings.config as { admin: { oidc: object } };
    const changed = { oidc: { ...administration.oidc, roles: { platform: 'viewer' } } };
    await opened.broker.close();
    for (const [configured, status] of [
      [administration, 200],
      [changed, 401],
    ] as const) {
      const broker = await createServer(configOf({ config: { ...settings.config, admin: configured } }));
      const visitor = new Visitor(broker);
      visitor.cookie = cookie;
      expect(await visitor.ask('GET', 'admin/session')).toMatchObject({ status });
      await broker.close();
    }
  });
});
