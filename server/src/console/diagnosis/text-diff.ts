/** Where two texts differ: the lengths of their common start and end, in UTF-16 code units. */
export interface TextDiff {
  readonly start: number;
  readonly end: number;
}

/** Ids, names and numbers differ as a whole, since people read them as a whole. */
const WORD = /[\w.-]/;

/** Finds the smallest middle part of whole words in which two texts differ. It does not divide surrogate pairs. */
export function textDiff(a: string, b: string): TextDiff {
  if (a === b) return { start: a.length, end: 0 };
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < shorter - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;

  if (isHighSurrogate(a.charCodeAt(start - 1))) start -= 1;
  while (start > 0 && WORD.test(a.charAt(start - 1))) start -= 1;
  if (isLowSurrogate(a.charCodeAt(a.length - end))) end -= 1;
  while (end > 0 && WORD.test(a.charAt(a.length - end))) end -= 1;
  return { start, end };
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
