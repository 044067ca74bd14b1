import { z } from 'zod';
import {
  type LastPosition,
  type LastPositions,
  MAX_LAST_POSITION_BYTES,
  MAX_LAST_POSITIONS,
  type OnLastPositionsBound,
} from '../../../history/last-positions.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';

const lastSchema = z
  .object({ position: z.string(), userId: z.string().optional() })
  .transform(({ position, userId }) => ({ position, userId }));

/** How far connections that have ended had got, in Redis, where all nodes find it. */
export class RedisLastPositions implements LastPositions {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #onBound: OnLastPositionsBound | undefined;

  constructor(commands: ScriptRunner, keys: Keys, onBound: OnLastPositionsBound | undefined) {
    this.#commands = commands;
    this.#keys = keys;
    this.#onBound = onBound;
  }

  async note(
    appId: string,
    channel: string,
    socketId: string,
    last: LastPosition,
    seconds: number,
  ): Promise<void> {
    const forgotten = await this.#commands.run(
      scripts.noteLastPosition,
      this.#keys.lastPositions(appId),
      fieldOf(channel, socketId),
      JSON.stringify(last),
      seconds,
      MAX_LAST_POSITIONS,
      MAX_LAST_POSITION_BYTES,
    );
    if (Number(forgotten) > 0) this.#onBound?.(appId);
  }

  async find(appId: string, channel: string, socketId: string): Promise<LastPosition | undefined> {
    const key = this.#keys.lastPositions(appId);
    const found = await this.#commands.run(scripts.findLastPosition, key, fieldOf(channel, socketId));
    return found === '' ? undefined : lastSchema.parse(JSON.parse(z.string().parse(found)));
  }
}

/** Unique, because socket ids hold no space. */
function fieldOf(channel: string, socketId: string): string {
  return `${socketId} ${channel}`;
}
