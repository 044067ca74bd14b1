/** What `countersign start` says, in one sentence, of what it cannot use. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { runCli } from '../helpers/brokers/cli.ts';
import { APP } from '../helpers/brokers/server.ts';

const apps = [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }];

/** A folder with a file, a link to itself, and the configuration. */
function folderWith(settings: object): { readonly folder: string; readonly config: string } {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), 'text');
  symlinkSync('circle', join(folder, 'circle'));
  const config = join(folder, 'countersign.json');
  writeFileSync(config, JSON.stringify({ port: 0, apps, ...settings }).replaceAll('FOLDER', folder));
  return { folder, config };
}

/** @returns the exit code and the standard error, without the name of the folder */
async function start(settings: object, ...args: string[]): Promise<[code: number | null, text: string]> {
  const { folder, config } = folderWith(settings);
  const { code, stderr } = await runCli(['start', '--config', config, ...args]);
  return [code, stderr.replaceAll(folder, 'FOLDER')];
}

const wrong = (problem: string) => [2, `Wrong configuration:\n  ${problem}\n`];

describe.each([[[]], [['--workers', '2']]])('with the flags %j', { timeout: 60_000 }, (flags) => {
  test.each<[settings: object, problem: string]>([
    [
      { data: 'FOLDER/file' },
      'data: got "FOLDER/file", expected a directory that the broker may write to, but it is not a directory (EEXIST)',
    ],
    [
      { data: 'FOLDER/file/data' },
      'data: got "FOLDER/file/data", expected a directory that the broker may write to, but a part of its path is not a directory (ENOTDIR)',
    ],
    [
      { data: 'FOLDER/circle' },
      'data: got "FOLDER/circle", expected a directory that the broker may write to, but its symbolic links form a circle (ELOOP)',
    ],
    [
      { tls: { cert: 'FOLDER/none.pem', key: 'FOLDER/file' } },
      'tls.cert: got "FOLDER/none.pem", but there is no such file (ENOENT)',
    ],
    [
      { tls: { cert: 'FOLDER/circle', key: 'FOLDER/file' } },
      'tls.cert: got "FOLDER/circle", but its symbolic links form a circle (ELOOP)',
    ],
    [
      { tls: { cert: 'FOLDER/file', key: 'FOLDER/file' } },
      'tls.cert: got "FOLDER/file", expected a certificate in PEM format',
    ],
  ])('%j is a wrong configuration', async (settings, problem) => {
    expect(await start(settings, ...flags)).toEqual(wrong(problem));
  });

  test('an address of another machine is a wrong configuration', async () => {
    expect(await start({ host: '192.0.2.1', port: 6001 }, ...flags)).toEqual([
      2,
      'port: cannot listen on 192.0.2.1:6001, because this machine has no such address (EADDRNOTAVAIL)\n',
    ]);
  });

  test('a port of the metrics that is taken is named', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(await start({ metrics: { port } }, ...flags)).toEqual([
      1,
      `metrics.port: cannot listen on 127.0.0.1:${port}, because another process does (EADDRINUSE)\n`,
    ]);
  });
});

test.each([
  ['none', 'there is no such file (ENOENT)'],
  ['circle', 'its symbolic links form a circle (ELOOP)'],
  ['file/config', 'a part of its path is not a directory (ENOTDIR)'],
  ['', 'it is a directory (EISDIR)'],
])('a configuration file that cannot be read: %j', async (name, problem) => {
  const { folder } = folderWith({});
  const file = `${folder}/${name}`;
  const { code, stderr } = await runCli(['start', '--config', file]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `Wrong configuration in ${file}:\n  the file cannot be read: ${problem}\n`,
  });
});

test('a file for the TLS of Redis that cannot be used is a wrong configuration', async () => {
  const redis = { url: 'rediss://127.0.0.1:1', tls: { ca: 'FOLDER/file' } };
  expect(await start({ redis })).toEqual(
    wrong('redis.tls.ca: got "FOLDER/file", expected a certificate in PEM format'),
  );
});
