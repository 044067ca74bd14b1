import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Version } from '../../adapter.ts';
import { appOfTopic, channelOfTopic, type Topic, userOfTopic } from '../../topic.ts';
import type { Keys, Listed } from '../keys.ts';
import { scripts } from '../scripts.ts';
import { replies } from './replies.ts';

/** Names that are read at a time. */
const PAGE = 1000;

/**
 * The names of the occupied channels and the signed-in users of each app. The index is in other slots than the topics, so
 * the node that made a change notes it here afterwards; readers of the index check the topics.
 */
export class ChannelIndex {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;

  constructor(commands: ScriptRunner, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  /** @param version of the change: of two notes, the later one holds */
  async note(topic: Topic, isOccupied: boolean, version: Version): Promise<void> {
    const userId = userOfTopic(topic);
    const key = this.#keys.list(appOfTopic(topic), userId === undefined ? 'channels' : 'users');
    const name = userId ?? channelOfTopic(topic);
    await this.#commands.run(scripts.noteInIndex, key, name, version, isOccupied ? 1 : 0);
  }

  /** Pages of the names after `after` that begin with `prefix`, in the order of their bytes. */
  async *pages(
    appId: string,
    listed: Listed,
    { prefix = '', after = '' }: { readonly prefix?: string; readonly after?: string },
  ): AsyncGenerator<readonly string[]> {
    const key = this.#keys.list(appId, listed);
    const to = prefix === '' ? '+' : `(${prefix}\u{10ffff}`;
    let from = after > prefix ? `(${after}` : `[${prefix}`;
    for (;;) {
      const names = replies.texts.parse(await this.#commands.run(scripts.indexPage, key, from, to, PAGE));
      if (names.length > 0) yield names;
      if (names.length < PAGE) return;
      from = `(${names.at(-1)}`;
    }
  }
}
