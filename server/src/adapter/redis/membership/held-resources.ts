import type { Commands } from '../../../redis/script-runner.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';
import type { Node } from './node-lease.ts';

/** What a node holds something in. */
export type Held = 'topics' | 'quotas';

/** Notes, before a node takes something, where it is to be looked for when the node is gone. */
export class Marks {
  readonly #commands: Commands;
  readonly #keys: Keys;
  readonly #node: Node;

  constructor(commands: Commands, keys: Keys, node: Node) {
    this.#commands = commands;
    this.#keys = keys;
    this.#node = node;
  }

  /** @returns the id under which it is noted */
  async note(held: Held, name: string): Promise<string> {
    const { id } = this.#node;
    await this.#commands.run(scripts.mark, this.#keys.node(id), held, name);
    return id;
  }

  async forget(held: Held, name: string): Promise<void> {
    await this.#commands.run(scripts.unmark, this.#keys.node(this.#node.id), held, name);
  }
}
