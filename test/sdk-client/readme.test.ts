import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

const readme = new URL('../../sdk-client/README.md', import.meta.url);
const options = new URL('../../sdk-client/src/options.ts', import.meta.url);

test('the table of options names every option, and no other', async () => {
  const table = (await readFile(readme, 'utf8')).split('## Options')[1] ?? '';
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const documented = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  const declared =
    /interface CountersignOptions \{([\s\S]*?)\n\}/.exec(await readFile(options, 'utf8'))?.[1] ?? '';
  expect(documented.sort()).toEqual(
    [...declared.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name).sort(),
  );
});
