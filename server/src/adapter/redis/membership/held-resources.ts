import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';
import type { NodeLease } from './node-lease.ts';

/** What a node holds something in. */
export type HeldResource = 'topics' | 'quotas';

/** Notes, before a node takes something, where it is to be looked for when the node is gone. */
export class HeldResources {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #node: NodeLease;

  constructor(commands: ScriptRunner, keys: Keys, node: NodeLease) {
    this.#commands = commands;
    this.#keys = keys;
    this.#node = node;
  }

  /** @returns the id under which it is noted */
  async note(held: HeldResource, name: string): Promise<string> {
    const { id } = this.#node;
    await this.#commands.run(scripts.addHeld, this.#keys.node(id), held, name);
    return id;
  }

  async forget(held: HeldResource, name: string): Promise<void> {
    await this.#commands.run(scripts.removeHeld, this.#keys.node(this.#node.id), held, name);
  }
}
