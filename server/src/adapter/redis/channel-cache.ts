import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { ChannelCache, KeptEvent } from '../adapter.ts';
import type { Topic } from '../topic.ts';
import type { Keys } from './keys.ts';
import { readKept, replies } from './roster/replies.ts';
import { scripts } from './scripts.ts';

/** The kept events of cache channels, in Redis. */
export class RedisChannelCache implements ChannelCache {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;

  constructor(commands: ScriptRunner, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async last(topic: Topic): Promise<KeptEvent | undefined> {
    const answer = await this.#commands.run(scripts.kept, this.#keys.topic(topic));
    return readKept(topic, ...replies.kept.parse(answer));
  }
}
