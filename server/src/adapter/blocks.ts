/** Keeps a user out of an app, or out of one of its channels, for a while. */
export interface Block {
  readonly appId: string;
  readonly userId: string;
  /** The one channel that it concerns; `undefined`: the user may neither sign in nor join a presence channel. */
  readonly channel: string | undefined;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly until: number;
}

/** How many blocks an app may have at a time. */
export interface BlockBounds {
  readonly blocks: number;
  /** As {@link blockBytes} counts them. */
  readonly bytes: number;
}

/** The bytes that a block counts for: its texts, and what is stored beside them. */
export function blockBytes({ userId, channel = '', reason }: Block): number {
  return 100 + Buffer.byteLength(userId) + Buffer.byteLength(channel) + Buffer.byteLength(reason);
}

/** The blocks of all apps. */
export interface Blocks {
  /**
   * Adds a block, or replaces the one of the same user and channel. Once this resolves, the block holds on all nodes, at
   * least until this process ends.
   *
   * @returns whether there was room for it; expired blocks take none
   */
  add(block: Block, bounds: BlockBounds): Promise<boolean>;
  /** Whether the last block of this user and channel is persisted, where blocks are; waits for that briefly. */
  isKept(appId: string, userId: string, channel?: string): Promise<boolean>;
  /** The block that keeps a user out of the app, or out of one channel. */
  find(appId: string, userId: string, channel?: string): Promise<Block | undefined>;
}
