import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const here = import.meta.dirname;
const require = createRequire(import.meta.url);

/** What a page that imports this downloads, in bytes. */
async function gzipped(contents: string): Promise<{ size: number; text: string }> {
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
  return { size: gzipSync(file.contents, { level: 9 }).length, text: file.text };
}

test('the main entry weighs at most 7 KiB gzipped', async () => {
  const { size, text } = await gzipped(
    `export { Countersign, CountersignError } from '@countersign/sdk-client'`,
  );
  console.log(`main entry: ${size} bytes`);
  expect(size).toBeLessThanOrEqual(7 * 1024);
  expect(text).not.toContain('require(');
});

test('with encryption it weighs at most 14 KiB gzipped', async () => {
  const { size } = await gzipped(`
    export { Countersign, CountersignError } from '@countersign/sdk-client';
    export { encryption } from '@countersign/sdk-client/encrypted';
  `);
  console.log(`with encryption: ${size} bytes`);
  expect(size).toBeLessThanOrEqual(14 * 1024);
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

test('the version told to the broker is that of the package', async () => {
  const { version } = require('@countersign/sdk-client/package.json') as { version: string };
  const { text } = await gzipped(`export { Countersign } from '@countersign/sdk-client'`);
  expect(text).toContain(`"${version}"`);
});
