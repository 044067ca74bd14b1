import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** What Redis runs in one step. */
export interface Script {
  readonly text: string;
  /** By which Redis knows it once it has seen it. */
  readonly sha1: string;
}

/** The scripts, each from the files that it is put together from (`lua/`). */
export const scripts = {
  join: load('topic', 'seats', 'join'),
  leave: loadFreeing('topic', 'seats', 'leave'),
  evict: load('topic', 'seats', 'evict'),
  reap: loadFreeing('topic', 'seats', 'reap'),
  publish: load('topic', 'publish'),
  since: load('topic', 'since'),
  counts: load('topic', 'counts'),
  snapshot: load('topic', 'seats', 'snapshot'),
  kept: load('topic', 'kept'),
  keep: load('keep'),
  forget: loadFreeing('topic', 'forget'),
  sitting: load('topic', 'sitting'),
  hasSeat: load('topic', 'has-seat'),
  beat: loadFreeing('beat'),
  bury: loadFreeing('bury'),
  mark: load('mark'),
  unmark: loadFreeing('unmark'),
  marks: load('marks'),
  list: load('list'),
  names: load('names'),
  hit: load('hit'),
  hold: load('hold'),
  release: loadFreeing('release'),
  occupy: loadFreeing('occupy'),
  block: load('block'),
  blocked: load('blocked'),
  persistence: load('persistence'),
} as const;

function load(...names: readonly string[]): Script {
  return scriptOf(textOf(names));
}

/** One that a Redis without memory runs all the same: nodes stay alive, and whoever goes leaves room. */
function loadFreeing(...names: readonly string[]): Script {
  return scriptOf(`#!lua flags=allow-oom\n${textOf(names)}`);
}

function textOf(names: readonly string[]): string {
  return names.map((name) => readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8')).join('\n');
}

function scriptOf(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}
