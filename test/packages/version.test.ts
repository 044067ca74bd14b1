import { readFile } from 'node:fs/promises';
import { VERSION as clientVersion } from '@countersign/sdk-client';
import { VERSION as serverSdkVersion } from '@countersign/sdk-server';
import { expect, test } from 'vitest';
import { VERSION as brokerVersion } from '#server/version';

test.each([
  ['sdk-client', clientVersion],
  ['sdk-server', serverSdkVersion],
  ['server', brokerVersion],
])('%s exports the version of its package as VERSION', async (workspace, version) => {
  const manifest = await readFile(new URL(`../../${workspace}/package.json`, import.meta.url), 'utf8');
  expect(version).toBe(JSON.parse(manifest).version);
});
