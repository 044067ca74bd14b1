import type { Adapter, BusListener, ChannelCache, KeptEvent } from '../adapter.ts';
import type { Journal } from '../journal.ts';
import type { Topic } from '../topic.ts';
import { type BlockStore, MemoryBlocks } from './blocks.ts';
import { MemoryBus } from './bus.ts';
import { MemoryCounters } from './counters.ts';
import { KeptEvents, type KeptEventsOptions } from './kept-events.ts';
import { MemoryRoster } from './roster.ts';
import { Topics } from './topics.ts';

/** Milliseconds between two sweeps for what has expired. */
const SWEEP_MS = 30_000;

const UNBOUNDED: KeptEventsOptions = {
  boundsOf: () => ({ events: Infinity, bytes: Infinity }),
  bytes: Infinity,
};

export interface MemoryAdapterOptions {
  /** The clock that people read, in Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Milliseconds, by a clock that nobody sets: all that expires does so by it. @default performance.now */
  readonly monotonic?: () => number;
  /** Where blocks outlive the process. */
  readonly blockStore?: BlockStore | undefined;
  /** What cache channels may keep. @default whatever is published to them */
  readonly kept?: KeptEventsOptions;
}

/** The adapter of a single node: everything is in this process, and gone with it, but for blocks that have a store. */
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
    this.channelCache = new MemoryHistory(topics);
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

class MemoryHistory implements ChannelCache {
  readonly #topics: Topics;

  constructor(topics: Topics) {
    this.#topics = topics;
  }

  async last(topic: Topic): Promise<KeptEvent | undefined> {
    const state = this.#topics.find(topic);
    return state && this.#topics.kept(state);
  }
}
