import { type KeyUses, mergeKeyUses } from '../../apps/keys/key-usage.ts';
import type { KeptKeyUses } from '../key-uses.ts';

/** When keys were used last, for as long as this process lives: its workers may end before it. */
export class MemoryKeyUses implements KeptKeyUses {
  readonly #uses = new Map<string, KeyUses>();

  async add(appId: string, uses: KeyUses): Promise<void> {
    this.#uses.set(appId, mergeKeyUses(this.#uses.get(appId) ?? {}, uses));
  }

  async of(appId: string): Promise<KeyUses> {
    return this.#uses.get(appId) ?? {};
  }

  forgetApp(appId: string): void {
    this.#uses.delete(appId);
  }
}
