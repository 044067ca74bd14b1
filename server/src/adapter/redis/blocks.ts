import { z } from 'zod';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { Block, Blocks } from '../adapter.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';

const blockSchema = z.object({ reason: z.string(), until: z.number() });

/** Who is kept out, on all nodes. */
export class RedisBlocks implements Blocks {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #now: () => number;

  /** @param now the clock, in Unix milliseconds */
  constructor(commands: ScriptRunner, keys: Keys, now: () => number) {
    this.#commands = commands;
    this.#keys = keys;
    this.#now = now;
  }

  async add({ appId, userId, channel, reason, until }: Block): Promise<void> {
    const milliseconds = Math.ceil(until - this.#now());
    if (milliseconds <= 0) return;
    const key = this.#keys.block(appId, userId, channel);
    await this.#commands.run(scripts.block, key, JSON.stringify({ reason, until }), milliseconds);
  }

  /** As good as Redis keeps what it has. */
  async isKept(): Promise<boolean> {
    return true;
  }

  async find(appId: string, userId: string, channel?: string): Promise<Block | undefined> {
    const answer = await this.#commands.run(scripts.blocked, this.#keys.block(appId, userId, channel));
    if (typeof answer !== 'string') return undefined;
    return { appId, userId, channel, ...blockSchema.parse(JSON.parse(answer)) };
  }
}
