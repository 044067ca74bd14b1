import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';
import type { NodeLease } from './node-lease.ts';

/** Index of the topics and quotas in which a node holds something: notes each before the node takes it, so that the reaper finds it. */
export class HeldResources {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #node: NodeLease;

  constructor(commands: ScriptRunner, keys: Keys, node: NodeLease) {
    this.#commands = commands;
    this.#keys = keys;
    this.#node = node;
  }

  /** @returns the id of the node under which it is noted */
  async note(held: HeldResource, name: string): Promise<string> {
    const { id } = this.#node;
    await this.#commands.run(scripts.addHeld, this.#keys.node(id), held, name);
    return id;
  }

  async forget(held: HeldResource, name: string): Promise<void> {
    await this.#commands.run(scripts.removeHeld, this.#keys.node(this.#node.id), held, name);
  }
}

/** What a node holds something in. */
export type HeldResource = 'topics' | 'quotas';
