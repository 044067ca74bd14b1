import type { Block, Blocks } from '../adapter.ts';

/** Where blocks outlive the process. */
export interface BlockStore {
  /** Those that still stand. */
  load(): Iterable<Block>;
  save(block: Block): void;
}

interface Clocks {
  /** In Unix milliseconds, as blocks are stored and told. */
  readonly now: () => number;
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
}

interface StandingBlock {
  readonly block: Block;
  /** By the monotonic clock. */
  readonly endsAt: number;
}

/** Who is kept out, in this process, and beyond it if there is a store. */
export class MemoryBlocks implements Blocks {
  readonly #clocks: Clocks;
  readonly #store: BlockStore | undefined;
  readonly #blocks = new Map<string, StandingBlock>();

  constructor(clocks: Clocks, store?: BlockStore) {
    this.#clocks = clocks;
    this.#store = store;
    for (const block of store?.load() ?? []) this.#put(block);
  }

  async add(block: Block): Promise<void> {
    this.#store?.save(block);
    this.#put(block);
  }

  async find(appId: string, userId: string, channel?: string): Promise<Block | undefined> {
    const standing = this.#blocks.get(keyOf(appId, userId, channel));
    return standing && standing.endsAt > this.#clocks.monotonic() ? standing.block : undefined;
  }

  /** Forgets the blocks that are over. */
  sweep(): void {
    const now = this.#clocks.monotonic();
    for (const [key, { endsAt }] of this.#blocks) if (endsAt <= now) this.#blocks.delete(key);
  }

  /** A clock that is set later neither ends a block nor makes it last. */
  #put(block: Block): void {
    const { now, monotonic } = this.#clocks;
    const endsAt = monotonic() + (block.until - now());
    this.#blocks.set(keyOf(block.appId, block.userId, block.channel), { block, endsAt });
  }
}

/** The id of a member may hold any text, so it stands last. */
function keyOf(appId: string, userId: string, channel = ''): string {
  return `${appId}:${channel}:${userId}`;
}
