/** The commands that ask the admin API: what they print, what they change, and how they fail. */
import { readFileSync, statSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, parseConfig } from '@countersign/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { publish } from '../helpers/api.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { newFolder } from '../helpers/folder.ts';

const TIMEOUT = 120_000;

/** A broker with an app store, and commands that ask it. */
async function start(config: Readonly<Record<string, unknown>> = {}) {
  const broker = await createServer(
    parseConfig({ port: 0, data: newFolder(), drainWindowSeconds: 0, admin: { token: OWNER }, ...config }),
  );
  onTestFinished(() => broker.close());
  const env = {
    XDG_CONFIG_HOME: newFolder(),
    COUNTERSIGN_URL: `${broker.url}${config['pathPrefix'] ?? ''}`,
    COUNTERSIGN_TOKEN: OWNER,
  };
  const run = (...args: string[]) => runCli(args, { env });
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  return { broker, env, run, json };
}

describe('apps', { timeout: TIMEOUT }, () => {
  test('are made, listed, changed, shown and removed', async () => {
    const { broker, run, json } = await start();
    const made = await json('apps', 'create', '--id', 'shop', '--name', 'Shop', 'limits.connections=500');
    expect(made).toMatchObject({ id: 'shop', name: 'Shop', limits: { connections: 500 } });
    const [{ key, secret }] = made.keys;
    await publish(broker, 'news', 'e', '1', {}, { id: 'shop', key, secret });

    const list = await run('apps', 'ls', '--query', 'sho');
    expect(list).toMatchObject({ code: 0, stderr: '' });
    expect(list.stdout).toMatch(/^id +keys +webhooks +managed by +name\nshop +1 +0 +api +Shop\n$/);

    expect(await run('apps', 'set', 'shop', 'limits.connections=null', 'cacheSeconds=60')).toMatchObject({
      code: 0,
      stdout: 'shop\n',
    });
    const shown = await run('apps', 'show', 'shop');
    expect(shown.stdout).toMatch(/^limits\.connections +50000$/m);
    expect(shown.stdout).toMatch(/^cacheSeconds +60$/m);
    expect(shown.stdout).not.toContain(secret);

    expect(await run('apps', 'rm', 'shop')).toMatchObject({ code: 2, stdout: '' });
    expect(await json('apps', 'rm', 'shop', '--dry-run')).toMatchObject({ dry_run: true, keys: 1 });
    expect(await json('apps', 'ls')).toMatchObject({ apps: [{ id: 'shop' }] });
    expect(await run('apps', 'rm', 'shop', '--yes')).toMatchObject({ code: 0, stdout: 'shop\n' });
    expect(await json('apps', 'ls')).toEqual({ apps: [] });
  });

  test('fail with what the broker says', async () => {
    const { env, run } = await start({ pathPrefix: '/realtime' });
    const wrong = await run('apps', 'create', 'limits.connections=none');
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toContain('limits.connections');
    const problem = await run('apps', 'show', 'nobody', '--json');
    expect(problem).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(problem.stderr)).toMatchObject({
      status: 404,
      code: 'app_not_found',
      type: expect.any(String),
      detail: expect.stringContaining('nobody'),
    });
    expect(await run('apps', 'set', 'shop', 'connections')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('SETTING=VALUE'),
    });
    const { COUNTERSIGN_TOKEN: _token, ...others } = env;
    expect(await runCli(['apps', 'ls'], { env: others })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('No admin token'),
    });
    expect(await run('apps', 'ls', '--url', 'http://127.0.0.1:9')).toMatchObject({ code: 3 });
  });
});

test('a key is made with a scope, rotated, and revoked', { timeout: TIMEOUT }, async () => {
  const { broker, run, json } = await start();
  const app = await json('apps', 'create', '--id', 'shop');
  const [{ key: first }] = app.keys;
  const rotated = await json('keys', 'rotate', '--app', 'shop', '--retire-after', '3600');
  expect(rotated).toMatchObject({ state: 'active', secret: expect.any(String) });
  expect(rotated.retiring).toMatchObject({ key: first, expires_at: expect.any(Number) });
  const { body } = await admin(broker, 'GET', '/apps/shop/keys');
  expect(body.keys.find(({ key }: { key: string }) => key === first).expires_at).toBe(
    rotated.retiring.expires_at,
  );
  const scoped = await run(
    'keys',
    'create',
    '--app',
    'shop',
    '--scope',
    'publish:*',
    '--expires',
    '2099-01-01',
  );
  expect(scoped.stdout).toMatch(/^key +[0-9a-f]{20}\nsecret +\S{43}\n$/);
  const ambiguous = await run('keys', 'rotate', '--app', 'shop');
  expect(ambiguous).toMatchObject({ code: 2, stderr: expect.stringContaining(first) });
  expect(await run('keys', 'revoke', first, '--app', 'shop')).toMatchObject({
    code: 0,
    stdout: `${first}\n`,
  });
  const { stdout } = await run('keys', 'ls', '--app', 'shop');
  expect(stdout).toMatch(new RegExp(`^${first} +revoked +all`, 'm'));
  expect(stdout).toMatch(/ active +publish:\* +2099-01-01T00:00:00Z +never$/m);
});

test('tokens and nodes: a token that was made is stored by login, and ends', {
  timeout: TIMEOUT,
}, async () => {
  const { env, run, json } = await start();
  const { stdout: token } = await run('tokens', 'create', 'ann', '--role', 'viewer');
  expect(token).toMatch(/^csa_[A-Za-z0-9]{40}\n$/);
  const { COUNTERSIGN_TOKEN: _owner, ...others } = env;
  const asAnn = (...args: string[]) => runCli(args, { env: others });
  expect(await asAnn('login', '--token', token.trim())).toMatchObject({ code: 0 });
  const profiles = join(env.XDG_CONFIG_HOME, 'countersign/profiles.json');
  expect(statSync(profiles).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(profiles, 'utf8'))).toEqual({
    default: { url: env.COUNTERSIGN_URL, token: token.trim() },
  });
  const nodes = await asAnn('nodes', 'ls');
  expect(nodes).toMatchObject({ code: 0, stderr: '' });
  expect(nodes.stdout).toMatch(/^node-\S+ +ready +0 +\d+ % /m);
  expect(await asAnn('apps', 'create')).toMatchObject({ code: 1, stderr: expect.stringContaining('role') });
  expect(await json('tokens', 'ls')).toMatchObject({
    tokens: [{ name: 'ann', role: 'viewer' }, { name: 'env' }],
  });
  expect(await run('tokens', 'rm', 'ann')).toMatchObject({ code: 0, stdout: 'ann\n' });
  expect(await asAnn('nodes', 'ls')).toMatchObject({ code: 1 });
  expect(await asAnn('login', '--token', token.trim())).toMatchObject({ code: 1 });
});

test('an answer that lacks what the command needs is an error that names the place', {
  timeout: TIMEOUT,
}, async () => {
  const server = createHttpServer((_request, response) => response.end('{"apps":[{"id":"shop"}]}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { code, stderr } = await runCli(['apps', 'ls', '--url', url, '--token', 'any', '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stderr)).toMatchObject({
    code: 'unexpected_answer',
    detail: expect.stringContaining('GET /apps was answered otherwise than expected, at 0.keys'),
  });
});
