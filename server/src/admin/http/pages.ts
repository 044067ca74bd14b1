/** Lists in pages. */
import { z } from 'zod';
import { invalid } from './problem.ts';

const LIMIT = 100;
const MAX_LIMIT = 1000;

/** The parameters of every list. */
export const pageQuery = {
  cursor: z.string().max(300).optional().describe('The "cursor" of the page before'),
  limit: z
    .string()
    .refine((text) => /^[1-9]\d{0,3}$/.test(text) && Number(text) <= MAX_LIMIT, `expected 1 to ${MAX_LIMIT}`)
    .optional()
    .describe(`Items of a page, 1 to ${MAX_LIMIT}. Default ${LIMIT}`),
};

export function limitOf(query: Readonly<Record<string, unknown>>): number {
  return query['limit'] === undefined ? LIMIT : Number(query['limit']);
}

/**
 * The item after which the page begins.
 *
 * @throws Problem if the cursor is none of ours
 */
export function afterOf(query: Readonly<Record<string, unknown>>): string | undefined {
  const cursor = query['cursor'];
  if (cursor === undefined) return undefined;
  const name = Buffer.from(String(cursor), 'base64url').toString('utf8');
  if (name === '' || cursorOf(name) !== cursor)
    throw invalid('cursor', 'the "cursor" of a page before', cursor);
  return name;
}

export function cursorOf(name: string): string {
  return Buffer.from(name).toString('base64url');
}

/** One page of items, in the order of their names. */
export function page<Item>(
  all: readonly Item[],
  nameOf: (item: Item) => string,
  query: Readonly<Record<string, unknown>>,
): { readonly items: readonly Item[]; readonly cursor?: string } {
  const after = afterOf(query);
  const limit = limitOf(query);
  const rest = all
    .filter((item) => after === undefined || nameOf(item) > after)
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(rest.length > limit && last !== undefined && { cursor: cursorOf(nameOf(last)) }) };
}
