import { z } from 'zod';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { type Block, type BlockBounds, type Blocks, blockBytes } from '../blocks.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';

const blockSchema = z.object({ reason: z.string(), until: z.number() });

/** The blocks of all apps, in Redis. */
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

  async add(block: Block, bounds: BlockBounds): Promise<boolean> {
    const { appId, userId, channel, reason, until } = block;
    const milliseconds = Math.ceil(until - this.#now());
    if (milliseconds <= 0) return true;
    const added = await this.#commands.run(
      scripts.addBlock,
      this.#keys.blocks(appId),
      fieldOf(userId, channel),
      JSON.stringify({ reason, until }),
      milliseconds,
      blockBytes(block),
      bounds.blocks,
      bounds.bytes,
    );
    return added === 1;
  }

  /** Blocks persist as far as Redis does. */
  async isKept(): Promise<boolean> {
    return true;
  }

  async find(appId: string, userId: string, channel?: string): Promise<Block | undefined> {
    const answer = await this.#commands.run(
      scripts.findBlock,
      this.#keys.blocks(appId),
      fieldOf(userId, channel),
    );
    if (typeof answer !== 'string') return undefined;
    return { appId, userId, channel, ...blockSchema.parse(JSON.parse(answer)) };
  }
}

/** A user id may contain any text, so it comes last. */
function fieldOf(userId: string, channel = ''): string {
  return `${channel}:${userId}`;
}
