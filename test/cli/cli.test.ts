import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { runCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';

const failure = (stderr: string, code = 2) => ({ code, signal: null, stdout: '', stderr: `${stderr}\n` });

describe('the command line', () => {
  test.each([[['--help']], [['-h']]])('%j lists the commands', async (args) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of ['init', 'start', 'dev', 'config', 'publish', 'tail', 'webhooks', 'completion']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    }
  });

  test('--version prints the version', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, signal: null, stdout: '0.1.0\n', stderr: '' });
  });

  test.each<[args: string[], message: string]>([
    [[], 'No command'],
    [['run'], "Unknown command 'run'"],
    [['config'], 'countersign config needs --print, or check'],
    [['start', '--colour', 'red'], "Unknown option '--colour'"],
    [['dev', '--config', 'x.json'], "Unknown option '--config'"],
  ])('%j is refused', async (args, message) => {
    expect(await runCli(args)).toEqual(failure(`${message}\nSee countersign --help.`));
  });
});

test('the installed command needs no build to be linked, and starts node with the heap flag', async () => {
  const server = new URL('../../server/', import.meta.url);
  const { bin, version } = JSON.parse(await readFile(new URL('package.json', server), 'utf8'));
  const command = new URL(bin.countersign, server);
  expect(bin.countersign).not.toMatch(/dist/);
  expect(await readFile(command, 'utf8')).toMatch(/^#!.*node --max-semi-space-size=4\n/);
  const { stdout } = await promisify(execFile)(fileURLToPath(command), ['--version']);
  expect(stdout).toBe(`${version}\n`);
});

describe('a configuration that cannot be used', () => {
  test('start without apps shows a minimal file', async () => {
    const minimal =
      '{ "apps": [{ "id": "1", "keys": [{ "key": "key-1", "secret": "replace-me-with-openssl-rand-hex-32" }] }] }';
    expect(await runCli(['start'])).toEqual(
      failure(
        `Wrong configuration:\n  apps: there is none, so nobody could connect; a minimal file is ${minimal}`,
      ),
    );
  });

  test('a wrong key is named by path, value and what was expected', async () => {
    const file = await fileWith({
      apps: [{ id: 'app-1', keys: [{ key: 'key-1', secret: 'short' }] }],
      log: 1,
    });
    expect(await runCli(['start', '--config', file])).toEqual(
      failure(
        [
          `Wrong configuration in ${file}:`,
          '  apps[0].keys[0].secret: got a value that is not shown, expected at least 8 characters',
          '  log: got 1, expected an object',
        ].join('\n'),
      ),
    );
  });

  const GUESSABLE =
    'everybody can guess it, because it is in documentation or a list of passwords; create one with openssl rand -hex 32';

  test.each([
    'dev-secret',
    'at least 8 characters, better 32',
    'replace-me-with-openssl-rand-hex-32',
    'CHANGE-ME-please',
    'your-secret-here',
    'password',
    'Passw0rd',
    '12345678',
    '34567890',
    'aaaaaaaaaaaaaaaa',
    'abababababababab',
  ])('start refuses the secret "%s", which everybody can guess', async (secret) => {
    const file = await fileWith({ apps: [{ id: '1', keys: [{ key: 'key-1', secret }] }] });
    expect(await runCli(['start', '--config', file])).toEqual(
      failure(`Wrong configuration:\n  apps[0].keys[0].secret: ${GUESSABLE}`),
    );
  });

  test('start refuses the secret of a webhook that stands in the documentation', async () => {
    const secret = `whsec_${Buffer.from('replace-me-with-a-random-secret').toString('base64')}`;
    const webhooks = [{ url: 'https://a.example', events: ['cache_miss'], secret }];
    const grants = { renewal: { url: 'https://a.example', secret } };
    const usage = { push: { url: 'https://a.example', secret } };
    const apps = [{ id: '1', keys: [{ key: 'key-1', secret: 'kT3v0pWzq8' }], webhooks, grants }];
    const { code, stderr } = await runCli(['start', '--config', await fileWith({ apps, usage })]);
    expect(code).toBe(2);
    expect(stderr).toContain('usage.push: everybody can guess its secret');
    expect(stderr).toContain('apps[0].webhooks[0]: everybody can guess its secret');
    expect(stderr).toContain('apps[0].grants.renewal: everybody can guess its secret');
    expect(stderr).not.toContain(secret);
  });

  test('start refuses such a token, and dev such a secret', async () => {
    const apps = [{ id: '1', keys: [{ key: 'key-1', secret: 'kT3v0pWzq8' }] }];
    const file = await fileWith({ apps, metrics: { token: 'replace-me-with-a-random-token' } });
    expect(await runCli(['start', '--config', file])).toEqual(
      failure(`Wrong configuration:\n  metrics.token: ${GUESSABLE}`),
    );
    expect(await runCli(['dev', '--secret', 'password'])).toEqual(
      failure(`Wrong configuration:\n  apps[0].keys[0].secret: ${GUESSABLE}`),
    );
  });

  test('the admin token of the environment is any text from 32 characters that is in no documentation', async () => {
    const file = await fileWith({ apps: [{ id: '1', keys: [{ key: 'key-1', secret: 'kT3v0pWzq8' }] }] });
    const check = (token: string) =>
      runCli(['config', 'check', '--config', file], { env: { COUNTERSIGN_ADMIN_TOKEN: token } });
    for (const token of ['x'.repeat(32), 'a text '.repeat(100)])
      expect(await check(token)).toMatchObject({ code: 0 });
    expect(await check('x'.repeat(31))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('admin.token'),
    });
    expect(await check('replace-me-with-openssl-rand-hex-32')).toMatchObject({ code: 2 });
  });

  test.each<[args: string[], env: Record<string, string>]>([
    [['dev', '--host', '0.0.0.0'], {}],
    [['dev'], { COUNTERSIGN_HOST: '0.0.0.0' }],
  ])('%j with %j is refused, since its console has no sign-in', async (args, env) => {
    expect(await runCli(args, { env })).toEqual(
      failure(
        'Wrong configuration:\n  host: got "0.0.0.0", expected "127.0.0.1", since everybody may look at its console',
      ),
    );
  });

  test('dev serves no other apps', async () => {
    const apps = [{ id: 'app-1', keys: [{ key: 'key-1', secret: 'secret-1' }] }];
    expect(await runCli(['dev'], { env: { COUNTERSIGN_APPS: JSON.stringify(apps) } })).toEqual(
      failure('Wrong configuration:\n  apps, tls and pathPrefix belong to countersign start, expected none'),
    );
  });
});

describe('config --print', () => {
  test('shows file, environment and flags merged, with secrets masked', async () => {
    const file = await fileWith({
      port: 1,
      apps: [
        {
          id: 'app-1',
          keys: [{ key: 'key-1', secret: 'secret-1' }],
          webhooks: [
            {
              url: 'https://hooks.example:8443/services/T0001/B0002/wJ7fQ2mZ9xK4/in?token=t0ken&bare',
              events: ['cache_miss'],
              secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
            },
          ],
          grants: {
            renewal: {
              url: 'https://shop.example/renew?token=r3newal',
              secret: 'whsec_dK4wZq8nYtR2vB6xH1mJ5sL9pF3gC7eA',
            },
          },
          tokens: { issuers: [{ issuer: 'a', audience: 'b', secret: 'secret-of-the-issuer-4711' }] },
        },
      ],
      metrics: { token: 'token-of-metrics' },
      usage: {
        push: {
          url: 'https://meter.example/in?token=m3ter',
          secret: 'whsec_pL2xT7cV9bN4mQ8wE5rY1uI6oA3sD0fG',
          token: 'token-of-the-meter',
        },
      },
    });
    const { code, stdout, stderr } = await runCli(['config', '--print', '--config', file, '--port', '3'], {
      env: { COUNTERSIGN_PORT: '2', COUNTERSIGN_LOG__LEVEL: 'debug' },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      host: '127.0.0.1',
      port: 3,
      apps: [
        {
          id: 'app-1',
          keys: [{ key: 'key-1', secret: '********' }],
          webhooks: [
            {
              url: 'https://hooks.example:8443/services/T0001/B0002/********/in?token=********&********',
              secret: '********',
            },
          ],
          grants: {
            renewal: { url: 'https://shop.example/renew?token=********', secret: '********' },
          },
          tokens: { issuers: [{ issuer: 'a', secret: '********' }] },
        },
      ],
      log: { level: 'debug', pretty: false },
      metrics: { token: '********' },
      usage: {
        push: { url: 'https://meter.example/in?token=********', secret: '********', token: '********' },
      },
    });
    expect(stdout).not.toMatch(/secret-1|token-of|m3ter|pL2x|wJ7f|t0ken|bare|MfKQ|r3newal|dK4w|4711/);
  });
});
