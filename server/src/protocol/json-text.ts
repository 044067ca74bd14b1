// Finds the text of a value in JSON, to pass it on unchanged: a parser changes numbers beyond 2^53, among others.

/** Levels of nesting in a value. Parsers of other languages fail, or crash their process, at a few thousand. */
const MAX_DEPTH = 2000;

const QUOTE = 34;
const COMMA = 44;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** A value has too many levels of nesting. */
export class NestedTooDeeply extends Error {}

/**
 * The text of one member's value in a JSON object. If several members have the name, the last one counts, as for JSON.parse.
 *
 * @param json text that JSON.parse accepts as an object
 * @throws NestedTooDeeply
 */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined;
  let at = skipSpace(json, json.indexOf('{') + 1);
  while (json.charCodeAt(at) === QUOTE) {
    const end = endOfString(json, at);
    const key = json.slice(at, end);
    const valueAt = skipSpace(json, skipSpace(json, end) + 1);
    const valueEnd = endOfValue(json, valueAt);
    if (isQuoted(key, name)) found = json.slice(valueAt, valueEnd);
    at = skipSpace(json, valueEnd);
    if (json.charCodeAt(at) === COMMA) at = skipSpace(json, at + 1);
  }
  return found;
}

function isQuoted(key: string, name: string): boolean {
  return key === `"${name}"` || (key.includes('\\') && JSON.parse(key) === name);
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (isSpace(json.charCodeAt(at))) at += 1;
  return at;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charCodeAt(at) !== QUOTE) {
    at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

function endOfValue(json: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < json.length) {
    const character = json.charCodeAt(at);
    if (character === QUOTE) {
      at = endOfString(json, at);
    } else if (character === OPEN_OBJECT || character === OPEN_LIST) {
      depth += 1;
      if (depth > MAX_DEPTH) throw new NestedTooDeeply();
      at += 1;
    } else if (character === CLOSE_OBJECT || character === CLOSE_LIST) {
      if (depth === 0) return at;
      depth -= 1;
      at += 1;
    } else if (depth === 0 && (character === COMMA || isSpace(character))) {
      return at;
    } else {
      at += 1;
      continue;
    }
    if (depth === 0) return at;
  }
  return at;
}

/** Whether a character is JSON whitespace. */
function isSpace(character: number): boolean {
  return character === 32 || character === 10 || character === 13 || character === 9;
}
