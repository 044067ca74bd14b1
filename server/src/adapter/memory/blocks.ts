import { setTimeout as delay } from 'node:timers/promises';
import { type Block, type BlockBounds, type Blocks, blockBytes } from '../blocks.ts';

/** Persists blocks beyond the end of the process. */
export interface BlockStore {
  /** The blocks that held when the store was opened. */
  readonly standing: Iterable<Block>;
  save(block: Block): Promise<void>;
}

/** Milliseconds for which the answer of a store is awaited. */
const SAVE_MS = 2000;

interface Clocks {
  /** Wall-clock time in Unix milliseconds, in which the end of a block is stored and reported. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

interface StandingBlock {
  readonly block: Block;
  /** By the monotonic clock. */
  readonly endsAt: number;
  readonly bytes: number;
}

/** The blocks of an app, including expired ones that are not forgotten yet. */
interface Taken {
  blocks: number;
  bytes: number;
}

/** The blocks of all apps, in this process and in a store if there is one. */
export class MemoryBlocks implements Blocks {
  readonly #clocks: Clocks;
  readonly #store: BlockStore | undefined;
  readonly #blocks = new Map<string, StandingBlock>();
  readonly #taken = new Map<string, Taken>();
  /** No block of the app expires before this time, by the monotonic clock. */
  #firstEnd = Infinity;
  /** The blocks that the store does not have, each with the attempt to save it. */
  readonly #unsaved = new Map<string, { readonly block: Block; attempt: Promise<void> }>();

  constructor(clocks: Clocks, store?: BlockStore) {
    this.#clocks = clocks;
    this.#store = store;
    for (const block of store?.standing ?? []) this.#put(block);
  }

  async add(block: Block, bounds: BlockBounds): Promise<boolean> {
    if (!this.#hasRoom(block, bounds)) {
      if (this.#firstEnd > this.#clocks.monotonic()) return false;
      this.#forgetEnded();
      if (!this.#hasRoom(block, bounds)) return false;
    }
    this.#put(block);
    if (this.#store) this.#save(block, this.#store);
    return true;
  }

  async isKept(appId: string, userId: string, channel?: string): Promise<boolean> {
    const key = keyOf(appId, userId, channel);
    const ending = new AbortController();
    const tooLate = delay(SAVE_MS, undefined, { signal: ending.signal }).catch(() => {});
    await Promise.race([this.#unsaved.get(key)?.attempt, tooLate]);
    ending.abort();
    return !this.#unsaved.has(key);
  }

  async find(appId: string, userId: string, channel?: string): Promise<Block | undefined> {
    const standing = this.#blocks.get(keyOf(appId, userId, channel));
    return standing && standing.endsAt > this.#clocks.monotonic() ? standing.block : undefined;
  }

  /** Forgets the blocks of an app, of which the store forgets its own. */
  forgetApp(appId: string): void {
    for (const [key, { block }] of this.#blocks) {
      if (block.appId !== appId) continue;
      this.#delete(key);
      this.#unsaved.delete(key);
    }
  }

  /** Forgets expired blocks, and retries to save those that could not be saved. */
  sweep(): void {
    this.#forgetEnded();
    for (const [key, { block }] of this.#unsaved) {
      if (this.#store && this.#blocks.get(key)?.block === block) this.#save(block, this.#store);
      else this.#unsaved.delete(key);
    }
  }

  /** The block holds meanwhile; the store reports its own failures. */
  #save(block: Block, store: BlockStore): void {
    const key = keyOf(block.appId, block.userId, block.channel);
    const saved = () => {
      if (this.#unsaved.get(key)?.block === block) this.#unsaved.delete(key);
    };
    const attempt = store.save(block).then(saved, () => {});
    this.#unsaved.set(key, { block, attempt });
  }

  #hasRoom(block: Block, bounds: BlockBounds): boolean {
    const taken = this.#taken.get(block.appId) ?? { blocks: 0, bytes: 0 };
    const before = this.#blocks.get(keyOf(block.appId, block.userId, block.channel));
    const blocks = taken.blocks + (before ? 0 : 1);
    return blocks <= bounds.blocks && taken.bytes - (before?.bytes ?? 0) + blockBytes(block) <= bounds.bytes;
  }

  /** A later change of the wall clock neither shortens nor extends a block. */
  #put(block: Block): void {
    const { now, monotonic } = this.#clocks;
    const key = keyOf(block.appId, block.userId, block.channel);
    this.#delete(key);
    const standing = { block, endsAt: monotonic() + (block.until - now()), bytes: blockBytes(block) };
    const taken = this.#taken.get(block.appId) ?? { blocks: 0, bytes: 0 };
    taken.blocks += 1;
    taken.bytes += standing.bytes;
    this.#taken.set(block.appId, taken);
    this.#blocks.set(key, standing);
    this.#firstEnd = Math.min(this.#firstEnd, standing.endsAt);
  }

  #delete(key: string): void {
    const standing = this.#blocks.get(key);
    if (!standing) return;
    this.#blocks.delete(key);
    const { appId } = standing.block;
    const taken = this.#taken.get(appId);
    if (!taken) return;
    taken.blocks -= 1;
    taken.bytes -= standing.bytes;
    if (taken.blocks === 0) this.#taken.delete(appId);
  }

  #forgetEnded(): void {
    const now = this.#clocks.monotonic();
    if (this.#firstEnd > now) return;
    this.#firstEnd = Infinity;
    for (const [key, { endsAt }] of this.#blocks) {
      if (endsAt <= now) this.#delete(key);
      else this.#firstEnd = Math.min(this.#firstEnd, endsAt);
    }
  }
}

/** A user id may contain any text, so it comes last. */
function keyOf(appId: string, userId: string, channel = ''): string {
  return `${appId}:${channel}:${userId}`;
}
