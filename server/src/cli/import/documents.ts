/** The files of other servers: JSON, or lines of NAME=VALUE. */
import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { fileProblem } from '../../config/file-problem.ts';
import { CommandError } from '../failure.ts';

export type Values = Readonly<Record<string, unknown>>;

/** A file that was read, and in which of the two forms it is. */
export type SourceDocument =
  | { readonly form: 'json'; readonly value: unknown }
  | { readonly form: 'env'; readonly value: Readonly<Record<string, string>> };

/** @throws CommandError if it cannot be read */
export async function readDocument(file: string): Promise<SourceDocument> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).replace(/^\uFEFF/, '');
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${fileProblem(error)}`, 'unreadable', { cause: error });
  }
  if (!/^\s*[{[]/.test(text)) return { form: 'env', value: expanded(parseEnv(text)) };
  try {
    return { form: 'json', value: JSON.parse(text) };
  } catch (cause) {
    // The message of the parser quotes the text, which has secrets.
    throw new CommandError(`${file} is no JSON`, 'unreadable', { cause });
  }
}

export function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Puts `a.b.c: 1` in its place: sections may be written so, and lists with the number of the item. */
export function nested(values: Values): Values {
  const tree: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const parts = name.split('.');
    const last = parts.pop() ?? name;
    let at = tree;
    for (const part of parts) {
      const next = at[part];
      at = at[part] = isObject(next) ? { ...next } : {};
    }
    const known = at[last];
    const whole = isObject(value) ? nested(value) : value;
    at[last] = isObject(known) && isObject(whole) ? { ...known, ...whole } : whole;
  }
  return withLists(tree);
}

function withLists(tree: Values): Values {
  return Object.fromEntries(
    Object.entries(tree).map(([name, value]) => {
      if (!isObject(value)) return [name, value];
      const inner = withLists(value);
      const names = Object.keys(inner);
      const isList = names.length > 0 && names.every((each, index) => each === String(index));
      return [name, isList ? Object.values(inner) : inner];
    }),
  );
}

/** Values may name others, as in `VITE_KEY="${PUSHER_APP_KEY}"`. */
function expanded(values: NodeJS.Dict<string>): Readonly<Record<string, string>> {
  const known = new Map(Object.entries(values));
  return Object.fromEntries(
    [...known].map(([name, value = '']) => [
      name,
      value.replaceAll(/\$\{(\w+)\}/g, (whole, other: string) => known.get(other) ?? whole),
    ]),
  );
}
