/** The reference of the SDKs that `npm run docs` makes: it is whole, and says what is not documented. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { newFolder } from '../helpers/folder.ts';

interface Entry {
  readonly module: string;
  readonly declarations: readonly { readonly name: string }[];
}

interface Reference {
  entriesOf(root: string): readonly Entry[];
  gapsOf(entry: Entry): readonly string[];
  pageOf(entry: Entry): string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
// The site is plain JavaScript, which the compiler does not read.
const { entriesOf, gapsOf, pageOf }: Reference = await import(join(ROOT, 'docs/site/reference.js'));
const entries = entriesOf(ROOT);

test('every entry with types has a page', () => {
  expect(entries.map(({ module }) => module)).toEqual([
    '@countersign/sdk-server',
    '@countersign/sdk-server/signature',
    '@countersign/sdk-server/express',
    '@countersign/sdk-client',
    '@countersign/sdk-client/react',
    '@countersign/sdk-client/devtools',
    '@countersign/sdk-client/encrypted',
  ]);
});

describe.each(entries.map((entry) => [entry.module, entry] as const))('%s', (module, entry) => {
  test('every export has a docstring, every function and class an example', () => {
    expect(gapsOf(entry)).toEqual([]);
  });

  test('everything that a program can import is on the page', async () => {
    const names = Object.keys(await import(module));
    expect(names.length).toBeGreaterThan(0);
    const headings = pageOf(entry).match(/^## .*$/gm) ?? [];
    expect(headings).toEqual(expect.arrayContaining(names.map((name) => `## ${name}`)));
    expect(headings).toHaveLength(entry.declarations.length);
  });

  test('no mark of a docstring is left in the text', () => {
    expect(pageOf(entry)).not.toMatch(/\{@|^\s*\*\/?$|^\s*@(param|returns|throws|default|example)/m);
  });
});

test('a long signature has a line for each parameter', () => {
  const page = pageOf(entries.find(({ module }) => module === '@countersign/sdk-server')!);
  expect(page).toContain('>>(\n  channels: Name | readonly Name[],\n  event: Event,\n');
  expect(page).toContain('\n  params?: TriggerParams\n): Promise<TriggerAnswer>\n```');
});

test('a method has its signature, text, parameters, errors and example', () => {
  const page = pageOf(entries.find(({ module }) => module === '@countersign/sdk-client')!);
  const [, section = ''] = page.split('\n### Channel.trigger\n');
  const [trigger = ''] = section.split('\n### ');
  expect(trigger).toContain('```ts\ntrigger<Name extends keyof Events');
  expect(trigger).toContain('Sends a client event to the other subscribers');
  expect(trigger).toContain('- `event`: a name that starts with `client-`');
  expect(trigger).toContain('- Throws: CountersignError `invalid_event`');
  expect(trigger).toContain("client.subscribe('private-room-7')");
});

test('what is not documented is named; overloads are one, links lead to the page, private parts are absent', () => {
  const root = newFolder();
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const exports = { '.': { import: { types: './index.d.ts' } }, './script.js': './script.js' };
  for (const name of ['sdk-server', 'sdk-client'])
    write(`${name}/package.json`, JSON.stringify({ name, exports }));
  write('sdk-client/index.d.ts', 'export {};');
  write(
    'sdk-server/index.d.ts',
    "export { bare, type Options as Settings, run } from './all.js';\nexport { Box } from './all.ts';",
  );
  write(
    'sdk-server/all.d.ts',
    `export declare const bare: number;
/** Runs a {@link Box.open}, never a {@link Lid}. */
export declare function run(text: string): void;
export declare function run(count: number): void;
/** Not this one. */

/** How it runs. */
export interface Options {
    /** A \`|\` in a text. @see nothing */
    readonly way: 'a' | 'b';
    'quoted-name'?: string;
}
/**
 * A box.
 * @example
 * \`\`\`ts
 * new Box();
 * \`\`\`
 */
export declare class Box {
    #private;
    private hidden;
    /** Opens it. */
    open(): void;
}
`,
  );
  const [entry] = entriesOf(root);
  expect(gapsOf(entry!)).toEqual(['sdk-server: run has no @example', 'sdk-server: bare has no docstring']);
  const page = pageOf(entry!);
  expect(page).toContain('```ts\nfunction run(text: string): void\nfunction run(count: number): void\n```');
  expect(page).toContain('Runs a [Box.open](#boxopen), never a `Lid`.');
  expect(page).toContain("| `readonly way: 'a' \\| 'b'` | A `\\|` in a text.");
  expect(page).toContain("| `'quoted-name'?: string` |");
  expect(page).toContain('## Settings');
  expect(page).not.toMatch(/Not this one|private|hidden/);
});
