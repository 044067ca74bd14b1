import type { KeptKeyUses } from '../adapter/key-uses.ts';
import type { KeyUses } from '../apps/keys/key-usage.ts';
import type { DataThread } from './data-thread.ts';

/** When keys were used last, in the data file, for those who are not in the thread that has it open. */
export class StoreKeyUses implements KeptKeyUses {
  readonly #thread: () => DataThread;

  constructor(thread: () => DataThread) {
    this.#thread = thread;
  }

  add(appId: string, uses: KeyUses): Promise<void> {
    return this.#thread().ask('addKeyUses', [appId, uses]);
  }

  of(appId: string): Promise<KeyUses> {
    return this.#thread().ask('keyUses', [appId]);
  }
}
