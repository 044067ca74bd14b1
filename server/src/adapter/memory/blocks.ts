import type { Block, Blocks } from '../adapter.ts';

/** Where blocks outlive the process. */
export interface BlockStore {
  /** Those that still stand. */
  load(): Iterable<Block>;
  save(block: Block): void;
}

/** Who is kept out, in this process, and beyond it if there is a store. */
export class MemoryBlocks implements Blocks {
  readonly #now: () => number;
  readonly #store: BlockStore | undefined;
  readonly #blocks = new Map<string, Block>();

  /** @param now the clock, in Unix milliseconds */
  constructor(now: () => number, store?: BlockStore) {
    this.#now = now;
    this.#store = store;
    for (const block of store?.load() ?? [])
      this.#blocks.set(keyOf(block.appId, block.userId, block.channel), block);
  }

  async add(block: Block): Promise<void> {
    this.#store?.save(block);
    this.#blocks.set(keyOf(block.appId, block.userId, block.channel), block);
  }

  async find(appId: string, userId: string, channel?: string): Promise<Block | undefined> {
    const block = this.#blocks.get(keyOf(appId, userId, channel));
    return block && block.until > this.#now() ? block : undefined;
  }

  /** Forgets the blocks that are over. */
  sweep(): void {
    const now = this.#now();
    for (const [key, block] of this.#blocks) if (block.until <= now) this.#blocks.delete(key);
  }
}

/** The id of a member may hold any text, so it stands last. */
function keyOf(appId: string, userId: string, channel = ''): string {
  return `${appId}:${channel}:${userId}`;
}
