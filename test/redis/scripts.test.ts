import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { scripts } from '#server/adapter/redis/scripts';
import { loadScript } from '#server/redis/script';
import { scripts as webhookScripts } from '#server/webhooks/cluster/scripts';

const FOLDERS = ['adapter/redis/lua', 'webhooks/cluster/lua'].map(
  (folder) => new URL(`../../server/src/${folder}/`, import.meta.url),
);
const files = FOLDERS.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.lua') && !name.startsWith('lib'))
    .map((name) => new URL(name, folder)),
);

describe('scripts of Redis', () => {
  test.each(files.map((url) => [url.pathname.split('/lua/')[1]!, url] as const))(
    '%s says what it does and lists its inputs',
    (_, url) => {
      const [header = ''] = readFileSync(url, 'utf8')
        .replace(/^#!lua .*\n/, '')
        .split(/^(?!--)/m);
      expect(header).toMatch(/^-- [A-Z](.*\n--)*.*\.\n--\n/);
      expect(header).toMatch(/^-- KEYS\[1\] {2}/m);
    },
  );

  test('are all loaded, with what they include', () => {
    const loaded = [scripts, webhookScripts].flatMap((each) => Object.values(each));
    expect(loaded).toHaveLength(files.length);
    expect(loaded.filter(({ text }) => text.includes('@include'))).toEqual([]);
  });

  test('are refused with a missing part', () => {
    expect(() => loadScript(new URL('missing.lua', FOLDERS[0]))).toThrow('ENOENT');
  });
});
