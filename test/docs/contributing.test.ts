import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { webhookEventNames } from '#server/apps/hook';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

describe('CONTRIBUTING.md', () => {
  const page = read('CONTRIBUTING.md');
  const paths = [...page.matchAll(/`((?:server|sdk-server|sdk-client|test|docs)\/[\w./-]*)`/g)].map(
    ([, path]) => path!,
  );

  test.each([...new Set(paths)])('names %s, which exists', (path) => {
    expect(existsSync(new URL(path, ROOT))).toBe(true);
  });

  test('names only commands of package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...page.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  const files = readdirSync(new URL('server/src', ROOT), { recursive: true, encoding: 'utf8' });
  const named = [
    ...read('docs/architecture.md').matchAll(/`((?:[\w-]+\/)*[\w-]+\.(?:ts|lua)|(?:[\w-]+\/)+)`/g),
  ];

  test.each([...new Set(named.map(([, name]) => name!))])('names %s, which exists', (name) => {
    const isThere = files.some((file) => `/${file}`.endsWith(`/${name.replace(/\/$/, '')}`));
    expect(isThere || existsSync(new URL(name, ROOT))).toBe(true);
  });
});

describe('the events of webhooks', () => {
  const names = [...webhookEventNames, 'test'].sort();

  test('are those of the documentation', () => {
    const [, table = ''] = read('docs/webhooks.md').split('## Events\n\n');
    const rows = table.split('\n\n')[0]!.matchAll(/^\| `(\w+)` \|/gm);
    const [, ...documented] = [...rows].map(([, name]) => name!);
    expect(documented.sort()).toEqual(names);
  });

  test('are those that the server SDK declares', () => {
    const declared = read('sdk-server/src/webhooks/event.ts').matchAll(/readonly name: ([^;\n]+);/g);
    const all = [...declared].flatMap(([, union]) =>
      [...union!.matchAll(/'(\w+)'/g)].map(([, name]) => name!),
    );
    expect(all.sort()).toEqual(names);
  });
});
