/** The session of a browser that has signed in with an admin token. */
import { createServer } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { Visitor } from '../helpers/console.ts';
import { newFolder } from '../helpers/folder.ts';

const withAdmin = (more: Readonly<Record<string, unknown>> = {}) => ({
  config: { data: newFolder(), admin: { token: OWNER }, ...more },
});

async function signedIn(broker: { readonly url: string }, token = OWNER): Promise<Visitor> {
  const visitor = new Visitor(broker);
  expect(await visitor.ask('POST', 'admin/session', { token })).toMatchObject({ status: 200 });
  return visitor;
}

const apps = (visitor: Visitor) => visitor.ask('GET', 'admin/v1/apps');

describe('a session of an admin token', () => {
  test('stands for the token, which its cookie does not contain', async () => {
    const broker = await startServer(withAdmin());
    const visitor = new Visitor(broker);
    expect(await visitor.ask('GET', 'admin/session')).toMatchObject({
      status: 401,
      body: { code: 'console_sign_in_required' },
    });
    const { body, headers } = await visitor.ask('POST', 'admin/session', { token: OWNER });
    expect(body).toEqual({ name: 'env', role: 'owner', expires_at: null, has_store: true });
    const cookie = headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^countersign-admin=.*; Path=\/console\/api\/admin; HttpOnly; SameSite=Strict$/);
    expect(Buffer.from(cookie.slice(cookie.indexOf('=') + 1), 'base64url').toString()).not.toContain(OWNER);

    const made = await visitor.ask('POST', 'admin/v1/apps', '{"name":"Shop"}', {
      'X-Countersign-Console': '1',
      'Content-Type': 'application/json',
    });
    expect(made).toMatchObject({ status: 201, body: { name: 'Shop' } });
    const { body: audit } = await admin(broker, 'GET', '/audit');
    expect(audit.events[0]).toMatchObject({ type: 'app.created', actor: 'env' });
  });

  test('is good for the pages only, neither for other sites nor in place of a token', async () => {
    const broker = await startServer(withAdmin());
    const visitor = await signedIn(broker);
    expect(await visitor.ask('GET', 'admin/v1/apps', undefined, {})).toMatchObject({ status: 403 });
    const ticket = visitor.cookie.slice('countersign-admin='.length);
    expect((await admin(broker, 'GET', '/apps', { token: ticket })).status).toBe(401);
    const link = { 'Sec-Fetch-Site': 'same-origin' };
    expect(await visitor.ask('GET', 'admin/v1/apps', undefined, link)).toMatchObject({ status: 200 });
    expect(await visitor.ask('DELETE', 'admin/v1/apps/x', undefined, link)).toMatchObject({ status: 403 });
    const sibling = { 'Sec-Fetch-Site': 'same-site' };
    expect(await visitor.ask('GET', 'admin/v1/apps', undefined, sibling)).toMatchObject({ status: 403 });
  });

  test('obeys the role and the apps of its token', async () => {
    const broker = await startServer(withAdmin());
    const { body } = await admin(broker, 'POST', '/tokens', {
      body: { name: 'tenant', role: 'viewer', apps: [APP.id] },
    });
    const visitor = await signedIn(broker, body.token);
    expect(await visitor.ask('GET', 'admin/session')).toMatchObject({
      body: { name: 'tenant', role: 'viewer', apps: [APP.id] },
    });
    const { body: list } = await apps(visitor);
    expect(list['apps']).toMatchObject([{ id: APP.id }]);
    expect(await visitor.ask('GET', 'admin/v1/apps/other-app')).toMatchObject({ status: 404 });
    expect(await visitor.ask('GET', 'admin/v1/tokens')).toMatchObject({ status: 403 });
    expect(await visitor.ask('DELETE', `admin/v1/apps/${APP.id}`)).toMatchObject({ status: 403 });
  });

  test('ends at the sign-out for every copy of its cookie, also after a restart', async () => {
    const settings = withAdmin();
    const broker = await createServer(configOf(settings));
    const [visitor, other] = [await signedIn(broker), await signedIn(broker)];
    const { cookie } = visitor;
    await visitor.ask('DELETE', 'admin/session');
    expect(visitor.cookie).toBe('countersign-admin=');
    visitor.cookie = cookie;
    expect(await apps(visitor)).toMatchObject({ status: 401 });
    await broker.close();

    const again = await startServer(settings);
    for (const [{ cookie }, status] of [
      [visitor, 401],
      [other, 200],
    ] as const) {
      const later = new Visitor(again);
      later.cookie = cookie;
      expect(await apps(later)).toMatchObject({ status });
    }
  });

  test('ends with its token, and does not come back with another one of the same name', async () => {
    const broker = await startServer(withAdmin());
    const make = () => admin(broker, 'POST', '/tokens', { body: { name: 'ops', role: 'operator' } });
    const { body } = await make();
    const visitor = await signedIn(broker, body.token);
    expect(await apps(visitor)).toMatchObject({ status: 200 });
    await admin(broker, 'DELETE', '/tokens/ops');
    expect(await apps(visitor)).toMatchObject({ status: 401 });
    await make();
    expect(await apps(visitor)).toMatchObject({ status: 401 });
  });

  test('ends after half an hour without a request, and after 12 hours in any case', async () => {
    let time = Date.now();
    const broker = await startServer({ ...withAdmin(), parts: { now: () => time } });
    const visitor = await signedIn(broker);
    for (let hours = 0; hours < 12; hours += 0.25) {
      expect(await apps(visitor)).toMatchObject({ status: 200 });
      time += 15 * 60_000;
    }
    expect(await apps(visitor)).toMatchObject({ status: 401 });
    const idle = await signedIn(broker);
    time += 31 * 60_000;
    expect(await apps(idle)).toMatchObject({ status: 401 });
  });

  test('cannot be forged or changed', async () => {
    const broker = await startServer(withAdmin());
    const visitor = await signedIn(broker);
    const [text = '', signature = ''] = visitor.cookie.split('=')[1]!.split('.');
    const claims = JSON.parse(Buffer.from(text, 'base64url').toString());
    claims[2] += 1;
    const changed = Buffer.from(JSON.stringify(claims)).toString('base64url');
    for (const ticket of [
      `${changed}.${signature}`,
      text,
      `${text}.`,
      '',
      'x.y',
      `${text}.${'0'.repeat(64)}`,
    ]) {
      visitor.cookie = `countersign-admin=${ticket}`;
      expect(await apps(visitor)).toMatchObject({ status: 401 });
    }
  });

  test('starts neither by a wrong token, of which an address has a few a minute, nor without any token at all', async () => {
    const broker = await startServer(withAdmin({ failedAuthenticationsPerMinute: 3 }));
    const visitor = new Visitor(broker);
    const attempt = (token: string) => visitor.ask('POST', 'admin/session', { token });
    for (let n = 0; n < 3; n += 1) expect(await attempt('csa_wrong')).toMatchObject({ status: 401 });
    expect(await attempt('csa_wrong')).toMatchObject({ status: 429 });
    expect(await attempt(OWNER)).toMatchObject({ status: 200 });
    expect(await attempt('with\nline break')).toMatchObject({ status: 429 });

    const without = new Visitor(await startServer());
    expect(await without.ask('GET', 'admin/session')).toMatchObject({ status: 404 });
    expect(await without.ask('POST', 'admin/session', { token: OWNER })).toMatchObject({ status: 404 });
  });

  test('starts at most sixty times per minute with one token', async () => {
    const broker = await startServer(withAdmin());
    for (let n = 0; n < 60; n += 1) await signedIn(broker);
    const visitor = new Visitor(broker);
    expect(await visitor.ask('POST', 'admin/session', { token: OWNER })).toMatchObject({
      status: 429,
      body: { code: 'too_many_requests' },
    });
  });

  test('is one for all workers, and for a node that keeps nothing', async () => {
    const bare = await startServer({ config: { admin: { token: OWNER } } });
    const visitor = await signedIn(bare);
    expect((await visitor.ask('GET', 'admin/session')).body).toMatchObject({ has_store: false });
    expect(await apps(visitor)).toMatchObject({ status: 200 });

    const group = await startWorkers(withAdmin());
    const one = await signedIn(group);
    for (let n = 0; n < 8; n += 1) expect(await apps(one)).toMatchObject({ status: 200 });
    const { cookie } = one;
    await one.ask('DELETE', 'admin/session');
    one.cookie = cookie;
    for (let n = 0; n < 8; n += 1) expect(await apps(one)).toMatchObject({ status: 401 });
  });
});
