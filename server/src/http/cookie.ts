import type { Request } from 'express';

/** The value of a cookie; empty if the request has none of this name. */
export function readCookie({ headers }: Request, name: string): string {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}
