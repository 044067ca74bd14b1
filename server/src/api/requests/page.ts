import { ApiError } from '../../errors.ts';
import type { Query } from '../../http/query.ts';

const PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** How many items an answer may have: `limit`, 100 if it is not given. @throws ApiError if it is not 1 to 1000 */
export function readLimit(query: Query): number {
  const text = query.get('limit');
  if (text === undefined) return PAGE_SIZE;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_PAGE_SIZE) return limit;
  throw new ApiError(
    400,
    'invalid_parameter',
    `"limit" is "${text.slice(0, 20)}": expected 1 to ${MAX_PAGE_SIZE}`,
  );
}

/** A number after which an answer begins, 0 if it is not given. @throws ApiError if it is no whole number */
export function readAfter(query: Query, name: string): number {
  const text = query.get(name);
  if (text === undefined) return 0;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ApiError(
    400,
    'invalid_parameter',
    `"${name}" is "${text.slice(0, 20)}": expected a whole number`,
  );
}
