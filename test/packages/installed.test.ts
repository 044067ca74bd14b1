/** The packages as somebody else has them: packed, installed outside of the repository, compiled against and run. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { LEASH } from '../helpers/brokers/cli.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const WORKSPACES = ['sdk-server', 'sdk-client', 'server'];
const NPM_FLAGS = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel', 'error'];
/** Packing and installing reads a hundred packages from the cache of npm, or from the registry. */
const SLOW_MS = 240_000;

const outside = mkdtempSync(join(tmpdir(), 'countersign-packages-'));
const tarballs = new Map<string, string>();

beforeAll(async () => {
  const pack = [
    'pack',
    '--silent',
    '--pack-destination',
    outside,
    ...WORKSPACES.flatMap((name) => ['-w', name]),
  ];
  await run('npm', pack, { cwd: ROOT });
  for (const file of readdirSync(outside)) {
    tarballs.set(/countersign-(.*?)-\d/.exec(file)?.[1] ?? file, join(outside, file));
  }
  writeFileSync(join(outside, 'package.json'), '{ "private": true }');
  await run('npm', ['install', ...NPM_FLAGS, ...tarballs.values()], { cwd: outside });
}, SLOW_MS);
afterAll(() => rmSync(outside, { recursive: true }));

/** Runs a program of the repository on the installed packages. @returns what it printed, if that failed */
const complaints = (program: string, args: readonly string[]): Promise<string> =>
  run(join(ROOT, 'node_modules/.bin', program), args, { cwd: outside }).then(
    () => '',
    ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
  );

describe('the manifest', () => {
  test.each(WORKSPACES)('of %s is one that publint accepts', async (name) => {
    expect(await complaints('publint', [tarballs.get(name)!, '--strict'])).toBe('');
  });

  test.each([
    ['sdk-server', []],
    // Scripts for pages have no types.
    ['sdk-client', ['--exclude-entrypoints', 'countersign.min.js', 'countersign-encrypted.min.js']],
    ['server', ['--profile', 'esm-only']],
  ])('of %s leads every way of resolving to its types', { timeout: 60_000 }, async (name, flags) => {
    expect(await complaints('attw', [tarballs.get(name)!, '--no-emoji', ...flags])).toBe('');
  });
});

describe('a program in TypeScript that checks its libraries, too', () => {
  const importsOf = (...names: string[]) =>
    names
      .map((name, index) => `import * as library${index} from '${name}';\nexport { library${index} };`)
      .join('\n');
  const COMMON = [
    '@countersign/sdk-client',
    '@countersign/sdk-client/encrypted',
    '@countersign/sdk-server',
    '@countersign/sdk-server/express',
    '@countersign/sdk-server/signature',
  ];

  beforeAll(() => {
    writeFileSync(join(outside, 'module.mts'), importsOf(...COMMON, '@countersign/server'));
    writeFileSync(join(outside, 'common.cts'), importsOf(...COMMON));
  });

  test.each([
    ['node16', 'node16', ['module.mts', 'common.cts']],
    ['nodenext', 'nodenext', ['module.mts', 'common.cts']],
    ['bundler', 'esnext', ['module.mts']],
  ])('compiles with moduleResolution %s', { timeout: 60_000 }, async (moduleResolution, module, files) => {
    const lib = ['--target', 'es2023', '--lib', 'es2023,dom'];
    const flags = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--types', '', ...lib];
    const how = ['--module', module, '--moduleResolution', moduleResolution];
    expect(await complaints('tsc', [...flags, ...how, ...files])).toBe('');
  });
});

describe('the installed command', () => {
  test('says its version', async () => {
    const { stdout } = await run('npx', ['--no', 'countersign', '--version'], { cwd: outside });
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('runs a broker for modules and for CommonJS', { timeout: 120_000 }, async () => {
    const { port, secret } = await startDev();
    const credentials = `{ appId: '1', key: 'dev-key', secret: '${secret}', host: '127.0.0.1', port: ${port}, useTLS: false }`;
    const options = `{ host: '127.0.0.1', port: ${port}, forceTLS: false }`;
    const body = `
      const client = new Client('dev-key', ${options});
      const channel = client.subscribe('news');
      channel.bind('headline', (data) => { console.log(data.title); client.disconnect(); });
      channel.bind('pusher:subscription_succeeded', () => new Server(${credentials}).trigger('news', 'headline', { title: 'hello' }));`;
    const names = [
      ['Client', '@countersign/sdk-client'],
      ['Server', '@countersign/sdk-server'],
    ] as const;
    const imports = names.map(([name, from]) => `import { Countersign as ${name} } from '${from}';`);
    const requires = names.map(([name, from]) => `const { Countersign: ${name} } = require('${from}');`);
    for (const [file, heads] of [
      ['program.mjs', imports],
      ['program.cjs', requires],
    ] as const) {
      writeFileSync(join(outside, file), heads.join('\n') + body);
      const { stdout } = await run(process.execPath, ['--no-experimental-require-module', file], {
        cwd: outside,
        timeout: 30_000,
      });
      expect(stdout).toBe('hello\n');
    }
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/console`)).status).toBe(200);
  });
});

/** Starts `npx countersign dev`, and reads what it prints. */
async function startDev(): Promise<{ port: number; secret: string }> {
  const child = spawn('npx', ['--no', 'countersign', 'dev', '--port', '0'], {
    cwd: outside,
    // npx runs the command in a process of its own: all of the group end with the test.
    detached: true,
    env: { ...process.env, NODE_OPTIONS: LEASH.join('=') },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    process.kill(-child.pid!, 'SIGKILL');
    await once(child, 'close');
  });
  const found = new Map<string, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, value] = /^ {2}(page|secret) +(\S+)$/.exec(line) ?? [];
    if (name && value) found.set(name, value);
    if (found.size === 2) break;
  }
  child.stdout.resume();
  return { port: Number(new URL(found.get('page')!).port), secret: found.get('secret')! };
}
