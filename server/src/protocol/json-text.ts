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
  eachMember(json, (start, keyEnd, valueAt, end) => {
    if (isQuoted(json.slice(start, keyEnd), name)) found = json.slice(valueAt, end);
  });
  return found;
}

/**
 * A JSON object without the members of one name. All other text stays as it is.
 *
 * @param json text that JSON.parse accepts as an object
 * @returns the text, and how many members had the name
 * @throws NestedTooDeeply
 */
export function removeMember(
  json: string,
  name: string,
): { readonly text: string; readonly removed: number } {
  const kept: string[] = [];
  let removed = 0;
  eachMember(json, (start, keyEnd, _valueAt, end) => {
    if (isQuoted(json.slice(start, keyEnd), name)) removed += 1;
    else kept.push(json.slice(start, end));
  });
  return { text: removed === 0 ? json : `{${kept.join(',')}}`, removed };
}

/** Calls `visit` with where each member of an object begins, its key ends, its value begins and ends. */
function eachMember(
  json: string,
  visit: (start: number, keyEnd: number, valueAt: number, end: number) => void,
): void {
  let at = skipSpace(json, json.indexOf('{') + 1);
  while (json.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(json, at);
    const valueAt = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = endOfValue(json, valueAt);
    visit(at, keyEnd, valueAt, end);
    at = skipSpace(json, end);
    if (json.charCodeAt(at) === COMMA) at = skipSpace(json, at + 1);
  }
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
