import type { Adapter, BusListener, ChannelCache, KeptEvent } from '../adapter.ts';
import type { Journal } from '../journal.ts';
import type { Topic } from '../topic.ts';
import { type BlockStore, MemoryBlocks } from './blocks.ts';
import { MemoryBus } from './bus.ts';
import { MemoryCounters } from './counters.ts';
import { KeptEvents, type KeptEventsOptions } from './kept-events.ts';
import { MemoryRoster } from './roster.ts';
import { Topics } from './topics.ts';

/** Milliseconds between two sweeps of expired entries. */
const SWEEP_MS = 30_000;

const UNBOUNDED: KeptEventsOptions = {
  boundsOf: () => ({ events: Infinity, bytes: Infinity }),
  bytes: Infinity,
};

/** The adapter of a single node: all state is in this process and ends with it, except blocks that have a store. */
export class MemoryAdapter implements Adapter {
  readonly bus: MemoryBus;
  readonly roster: MemoryRoster;
  readonly channelCache: ChannelCache;
  readonly counters: MemoryCounters;
  readonly blocks: MemoryBlocks;
  readonly #sweep: NodeJS.Timeout;

  constructor({
    now = Date.now,
    monotonic = () => performance.now(),
    blockStore,
    kept = UNBOUNDED,
  }: MemoryAdapterOptions = {}) {
    const topics = new Topics(monotonic, new KeptEvents(kept));
    this.bus = new MemoryBus(topics);
    this.roster = new MemoryRoster(topics, this.bus);
    this.channelCache = new MemoryChannelCache(topics);
    this.counters = new MemoryCounters(monotonic);
    this.blocks = new MemoryBlocks({ now, monotonic }, blockStore);
    this.#sweep = setInterval(() => {
      topics.sweep();
      this.counters.sweep();
      this.blocks.sweep();
    }, SWEEP_MS).unref();
  }

  attach(listener: BusListener, journal: Journal): void {
    this.bus.attach(listener, journal);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
  }
}

class MemoryChannelCache implements ChannelCache {
  readonly #topics: Topics;

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  async last(topic: Topic): Promise<KeptEvent | undefined> {
    const state = this.#topics.find(topic);
    return state && this.#topics.kept(state);
  }
}

export interface MemoryAdapterOptions {
  /** Wall-clock time in Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Milliseconds of a monotonic clock, by which everything expires. @default performance.now */
  readonly monotonic?: () => number;
  /** Persists blocks. */
  readonly blockStore?: BlockStore | undefined;
  /** Bounds of what cache channels keep. @default none */
  readonly kept?: KeptEventsOptions;
}
