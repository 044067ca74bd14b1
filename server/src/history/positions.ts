import { createHash, randomBytes } from 'node:crypto';
import type { Position } from './history.ts';

const TAG_LENGTH = 10;
const VERSION = /^[0-9a-z]{1,11}$/;

/**
 * Gives positions: `TAG.VERSION`. The tag is a hash of the channel and of random bytes of this run, so the positions of
 * another channel or of an earlier run are recognized as such.
 */
export class Positions {
  readonly #run: string;

  /** @param run random text; a store that outlives the process has one of its own */
  constructor(run = randomBytes(16).toString('hex')) {
    this.#run = run;
  }

  tagOf(appId: string, channel: string): string {
    const hash = createHash('sha256').update(this.#run).update(`${appId}:${channel}`);
    return hash.digest('base64url').slice(0, TAG_LENGTH);
  }

  write(tag: string, version: number): Position {
    return `${tag}.${version.toString(36)}`;
  }

  /** The version of a position that has the tag. */
  read(tag: string, position: Position): number | undefined {
    if (!position.startsWith(`${tag}.`)) return undefined;
    const text = position.slice(tag.length + 1);
    if (!VERSION.test(text)) return undefined;
    const version = Number.parseInt(text, 36);
    return version.toString(36) === text ? version : undefined;
  }
}
