import { z } from 'zod';
import { KEY_USES, type KeyUses, mergeKeyUses } from '../../apps/keys/key-usage.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import { KEPT_USE_DAYS, type KeptKeyUses } from '../key-uses.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';

const DAY_SECONDS = 86_400;
const usesSchema = z.array(z.tuple([z.string(), z.coerce.number()]));
const useSchema = z.enum(KEY_USES);

/** When keys were used last, in Redis: a field for each use of each key. */
export class RedisKeyUses implements KeptKeyUses {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;

  constructor(commands: ScriptRunner, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async add(appId: string, uses: KeyUses): Promise<void> {
    const fields = Object.entries(uses).flatMap(([key, last]) =>
      Object.entries(last).flatMap(([use, at]) => [`${use} ${key}`, at]),
    );
    await this.#commands.run(
      scripts.addKeyUses,
      this.#keys.keyUses(appId),
      KEPT_USE_DAYS * DAY_SECONDS,
      ...fields,
    );
  }

  async of(appId: string): Promise<KeyUses> {
    const fields = usesSchema.parse(await this.#commands.run(scripts.keyUses, this.#keys.keyUses(appId)));
    return fields.reduce<KeyUses>((uses, [field, at]) => {
      const space = field.indexOf(' ');
      const use = useSchema.parse(field.slice(0, space));
      return mergeKeyUses(uses, Object.fromEntries([[field.slice(space + 1), { [use]: at }]]));
    }, {});
  }
}
