import { setTimeout as delay } from 'node:timers/promises';
import { type Block, type BlockBounds, type Blocks, blockBytes } from '../blocks.ts';

/** Where blocks outlive the process. */
export interface BlockStore {
  /** Those that stood when it was opened. */
  readonly standing: Iterable<Block>;
  save(block: Block): Promise<void>;
}

/** Milliseconds that a store has before its answer is not waited for any more. */
const SAVE_MS = 2000;

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
  readonly bytes: number;
}

/** What an app has at present, those included that are over and not forgotten yet. */
interface Taken {
  blocks: number;
  bytes: number;
}

/** Who is kept out, in this process, and beyond it if there is a store. */
export class MemoryBlocks implements Blocks {
  readonly #clocks: Clocks;
  readonly #store: BlockStore | undefined;
  readonly #blocks = new Map<string, StandingBlock>();
  readonly #taken = new Map<string, Taken>();
  /** Before this time, by the monotonic clock, none of them is over. */
  #firstEnd = Infinity;
  /** Those that the store does not have, with the attempt to save each. */
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

  /** Forgets the blocks that are over, and tries again to save those that could not be saved. */
  sweep(): void {
    this.#forgetEnded();
    for (const [key, { block }] of this.#unsaved) {
      if (this.#store && this.#blocks.get(key)?.block === block) this.#save(block, this.#store);
      else this.#unsaved.delete(key);
    }
  }

  /** It holds meanwhile; that it could not be saved is for the store to report. */
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

  /** A clock that is set later neither ends a block nor makes it last. */
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

/** The id of a member may hold any text, so it stands last. */
function keyOf(appId: string, userId: string, channel = ''): string {
  return `${appId}:${channel}:${userId}`;
}
