import { z } from 'zod';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { type NonceOutcome, type Nonces, nonceDigest } from '../nonces.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';

const outcomeSchema = z.enum(['spent', 'reused', 'full']);

/** The nonces of all apps, in Redis. */
export class RedisNonces implements Nonces {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;

  constructor(commands: ScriptRunner, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async spend(appId: string, nonce: string, keepMs: number, limit: number): Promise<NonceOutcome> {
    const answer = await this.#commands.run(
      scripts.spendNonce,
      this.#keys.nonces(appId),
      nonceDigest(nonce),
      Math.ceil(keepMs),
      limit,
    );
    return outcomeSchema.parse(answer);
  }

  async release(appId: string, nonce: string): Promise<void> {
    await this.#commands.run(scripts.releaseNonce, this.#keys.nonces(appId), nonceDigest(nonce));
  }
}
