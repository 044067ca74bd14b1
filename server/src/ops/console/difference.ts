/** Where two texts differ: what they have in common at the beginning and at the end, in UTF-16 code units. */
export interface Difference {
  readonly start: number;
  readonly end: number;
}

/** The smallest middle part in which two texts differ; surrogate pairs stay whole. */
export function difference(a: string, b: string): Difference {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start += 1;
  if (isHighSurrogate(a.charCodeAt(start - 1))) start -= 1;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  if (isLowSurrogate(a.charCodeAt(a.length - end))) end -= 1;
  return { start, end };
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
