import type { Commands } from '../../redis/script-runner.ts';
import type { History, KeptEvent, Topic } from '../adapter.ts';
import type { Keys } from './keys.ts';
import { answers, readKept } from './roster/replies.ts';
import { scripts } from './scripts.ts';

/** What was published, as Redis keeps it. */
export class RedisHistory implements History {
  readonly #commands: Commands;
  readonly #keys: Keys;

  constructor(commands: Commands, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async last(topic: Topic): Promise<KeptEvent | undefined> {
    const answer = await this.#commands.run(scripts.kept, this.#keys.topic(topic));
    return readKept(topic, ...answers.kept.parse(answer));
  }
}
