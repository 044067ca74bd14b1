import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';

const RECIPES = new URL('../../docs/recipes/', import.meta.url);
/** Below it, the packages resolve as they do for a reader who installed them. */
const KITCHEN = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));

/** The modules of a recipe: its blocks of JavaScript by the names that stand on their fences, as they are printed. */
export async function cook<Exports extends object>(name: string): Promise<Exports> {
  const text = await readFile(new URL(`${name}.md`, RECIPES), 'utf8');
  await mkdir(KITCHEN, { recursive: true });
  const folder = await mkdtemp(join(KITCHEN, `${name}-`));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const blocks = [...text.matchAll(/^```js (\S+)\n([\s\S]*?)^```$/gm)];
  if (blocks.length !== text.match(/^```js/gm)?.length) throw new Error(`A block of ${name} has no name`);
  for (const [, file = '', code = ''] of blocks) await writeFile(join(folder, file), code);
  const modules = blocks.map(([, file = '']) => import(pathToFileURL(join(folder, file)).href));
  return Object.assign({}, ...(await Promise.all(modules)));
}
