import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What Redis runs in one step, during which it does nothing else. */
export interface Script {
  readonly text: string;
  /** Identifies the script at a Redis that has run it before. */
  readonly sha1: string;
}

const INCLUDE = /^--- @include "(.+)"$/gm;

/**
 * Loads a script. A line `--- @include "lib/clock"` stands for the file of that name, relative to the including one, which
 * a script gets once however often it is named.
 *
 * @throws Error if a file cannot be read
 */
export function loadScript(url: URL): Script {
  const text = read(url, new Set());
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

function read(url: URL, included: Set<string>): string {
  included.add(url.href);
  return readFileSync(url, 'utf8').replace(INCLUDE, (_, name: string) => {
    const part = new URL(`${name}.lua`, url);
    return included.has(part.href) ? '' : read(part, included);
  });
}
