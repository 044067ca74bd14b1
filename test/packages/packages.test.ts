/** What `npm publish` would send of each package. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

describe.each(['sdk-server', 'sdk-client', 'server'])('the package of %s', (workspace) => {
  const read = (path: string) => readFile(new URL(path, root), 'utf8');

  async function packed(): Promise<string[]> {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '-w', workspace];
    const { stdout } = await run('npm', args, { cwd: root });
    return (JSON.parse(stdout) as Packed[]).flatMap(({ files }) => files.map(({ path }) => path));
  }

  test('carries its license, its README and every file that its manifest names', async () => {
    const manifest = await read(`${workspace}/package.json`);
    const named = [...manifest.matchAll(/"(?:\.\/)?((?:bin|dist)\/[^"*]+)"/g)].map(([, path]) => path);
    expect(named).not.toEqual([]);
    expect(await packed()).toEqual(expect.arrayContaining(['LICENSE', 'README.md', ...named]));
  });

  test('carries the folders of entries that replace "exports"', async () => {
    const entries = ['sdk-server/express', 'sdk-server/signature'].filter((entry) =>
      entry.startsWith(workspace),
    );
    const manifests = entries.map((entry) => `${entry.slice(workspace.length + 1)}/package.json`);
    expect(await packed()).toEqual(expect.arrayContaining(manifests));
  });

  test('is under the license of the project', async () => {
    expect(await read(`${workspace}/LICENSE`)).toBe(await read('LICENSE'));
  });
});

describe('the client SDK where tools know CommonJS only, or no "exports"', () => {
  const client = new URL('sdk-client/', root);
  const manifestAt = async (path: string) =>
    JSON.parse(await readFile(new URL(`${path}package.json`, client), 'utf8')) as {
      readonly main: string;
      readonly types: string;
    };

  test.each(['', '/react', '/devtools', '/encrypted'])('%s is loaded by require', async (entry) => {
    const program = `require('@countersign/sdk-client${entry}')`;
    await run(process.execPath, ['--no-experimental-require-module', '-e', program], { cwd: root });
  });

  test.each(['', 'react/', 'devtools/', 'encrypted/'])('%s is found, with its types', async (entry) => {
    const { main, types } = await manifestAt(entry);
    for (const path of [main, types]) await readFile(new URL(entry + path, client));
  });
});
