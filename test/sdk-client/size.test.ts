import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const here = import.meta.dirname;
const require = createRequire(import.meta.url);

const OURS = `export { Countersign, CountersignError } from '@countersign/sdk-client'`;
const OURS_ENCRYPTED = `${OURS}; export { encryption } from '@countersign/sdk-client/encrypted'`;

/** What a page that imports this downloads. */
async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: here },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
  });
  const [file] = outputFiles;
  if (!file) throw new Error('Nothing was built');
  return file.text;
}

const gzipped = (text: string): number => gzipSync(text, { level: 9 }).length;
const imported = async (contents: string): Promise<number> => gzipped(await bundled(contents));
const script = async (name: string): Promise<number> =>
  gzipped(await readFile(require.resolve(name), 'utf8'));

// 2.3 KiB of it are the sentences that tell developers what went wrong and what to do.
test('the main entry weighs at most 11.75 KiB gzipped', async () => {
  const text = await bundled(OURS);
  console.log(`main entry: ${gzipped(text)} bytes`);
  expect(gzipped(text)).toBeLessThanOrEqual(11.75 * 1024);
  expect(text).not.toContain('require(');
});

test('with encryption it weighs at most 14 KiB gzipped', async () => {
  const size = await imported(OURS_ENCRYPTED);
  console.log(`with encryption: ${size} bytes`);
  expect(size).toBeLessThanOrEqual(14 * 1024);
});

test('the devtools weigh less than 4 KiB gzipped, and come only where they are imported', async () => {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '@countersign/sdk-client/devtools'`, resolveDir: here },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    external: ['react'],
  });
  expect(gzipped(outputFiles[0]?.text ?? '')).toBeLessThan(4 * 1024);
  expect(await bundled(OURS_ENCRYPTED)).not.toContain('Countersign devtools');
});

test('the bindings for React come only where they are imported', async () => {
  expect(await bundled(OURS_ENCRYPTED)).not.toContain('useSyncExternalStore');
});

test('the table of the README says what is measured here', async () => {
  const { version } = require('pusher-js/package.json') as { version: string };
  const readme = await readFile(new URL('../../sdk-client/README.md', import.meta.url), 'utf8');
  const table = /## Size\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? '';
  const rows = [...table.matchAll(/^\| (\w.*?) +\| ([\d.]+) KiB +\| ([\d.]+) KiB +\|$/gm)];
  const measured = {
    imported: [await imported(OURS), await imported(`export { default } from 'pusher-js'`)],
    'imported, with encryption': [
      await imported(OURS_ENCRYPTED),
      await imported(`export { default } from 'pusher-js/with-encryption'`),
    ],
    script: [
      await script('@countersign/sdk-client/countersign.min.js'),
      await script('pusher-js/dist/web/pusher.min.js'),
    ],
    'script, with encryption': [
      await script('@countersign/sdk-client/countersign-encrypted.min.js'),
      await script('pusher-js/dist/web/pusher-with-encryption.min.js'),
    ],
  };
  expect(table).toContain(`\`pusher-js\` ${version}`);
  expect(rows.map(([, what]) => what)).toEqual(Object.keys(measured));
  // To the tenth, give or take what versions of gzip differ by.
  for (const [index, sizes] of Object.values(measured).entries())
    for (const [column, size] of sizes.entries())
      expect(Math.abs(Number(rows[index]?.[column + 2]) - size / 1024)).toBeLessThan(0.1);
});

test.each([
  ['countersign.min.js', false],
  ['countersign-encrypted.min.js', true],
])('%s is a script that defines Countersign', async (file, encrypted) => {
  const source = await readFile(require.resolve(`@countersign/sdk-client/${file}`), 'utf8');
  const page: Record<string, unknown> = { AbortController, atob, setTimeout, clearTimeout, queueMicrotask };
  page['WebSocket'] = class {
    close(): void {}
  };
  page['globalThis'] = page;
  const subscribing = `
    const client = new Countersign('key-1', { host: 'h' });
    try { client.subscribe('private-encrypted-a').name } catch (error) { error.code } finally { client.disconnect() }
  `;
  expect(runInNewContext(source + subscribing, page)).toBe(
    encrypted ? 'private-encrypted-a' : 'encryption_missing',
  );
});
