import type { HistoryPage, HistoryQuery, LostCode, Position } from '../../history/history.ts';
import type { OnLastPositionsBound } from '../../history/last-positions.ts';
import { MemoryHistory, type MemoryHistoryOptions } from '../../history/memory-history.ts';
import { MemoryLastPositions } from '../../history/memory-last-positions.ts';
import { MemoryRecords } from '../../idempotency/memory-records.ts';
import type { RecordBounds } from '../../idempotency/records.ts';
import type { Adapter, BusListener, ChannelCache, History, KeptEvent } from '../adapter.ts';
import type { Journal } from '../journal.ts';
import type { KeptKeyUses } from '../key-uses.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../topic.ts';
import { MemoryBus } from './bus.ts';
import { MemoryCounters } from './counters.ts';
import { KeptEvents, type KeptEventsOptions } from './kept-events.ts';
import { MemoryKeyUses } from './key-uses.ts';
import { MemoryNodes } from './nodes.ts';
import { MemoryNonces } from './nonces.ts';
import { MemoryRevocations, type RevocationStore } from './revocations.ts';
import { MemoryRoster } from './roster.ts';
import { Topics } from './topics.ts';

/** Milliseconds between two sweeps of expired entries. */
const SWEEP_MS = 30_000;

const UNBOUNDED: KeptEventsOptions = {
  boundsOf: () => ({ events: Infinity, bytes: Infinity }),
  bytes: Infinity,
};
const UNBOUNDED_HISTORY: MemoryHistoryOptions = {
  boundOf: () => Infinity,
  bytes: Infinity,
  countsOf: () => ({ events: 0, bytes: 0, evicted: 0 }),
};
const UNBOUNDED_RECORDS: RecordBounds = {
  boundsOf: () => ({ records: Infinity, bytes: Infinity }),
  countsOf: () => ({ records: 0, bytes: 0, evicted: 0 }),
};

/** The adapter of a single node: all state is in this process and ends with it, except revocations that have a store. */
export class MemoryAdapter implements Adapter {
  readonly bus: MemoryBus;
  readonly roster: MemoryRoster;
  readonly channelCache: ChannelCache;
  readonly history: History;
  readonly lastPositions: MemoryLastPositions;
  readonly idempotency: MemoryRecords;
  readonly counters: MemoryCounters;
  readonly nonces: MemoryNonces;
  readonly keyUses: KeptKeyUses;
  readonly revocations: MemoryRevocations;
  readonly nodes = new MemoryNodes();
  readonly #topics: Topics;
  readonly #histories: MemoryHistory;
  readonly #sweep: NodeJS.Timeout;

  constructor({
    now = Date.now,
    monotonic = () => performance.now(),
    revocationStore,
    keyUses = new MemoryKeyUses(),
    kept = UNBOUNDED,
    history = UNBOUNDED_HISTORY,
    idempotency = UNBOUNDED_RECORDS,
    onLastPositionsBound,
  }: MemoryAdapterOptions = {}) {
    const topics = new Topics(monotonic, new KeptEvents(kept));
    const histories = new MemoryHistory(history, { now, monotonic });
    this.#topics = topics;
    this.#histories = histories;
    this.lastPositions = new MemoryLastPositions(monotonic, onLastPositionsBound, histories.notes);
    this.idempotency = new MemoryRecords(idempotency, monotonic, histories.notes);
    this.bus = new MemoryBus(topics, histories, this.idempotency);
    this.roster = new MemoryRoster(topics, this.bus, histories);
    this.channelCache = new MemoryChannelCache(topics);
    this.history = new TopicHistory(topics, histories);
    this.counters = new MemoryCounters(monotonic);
    this.nonces = new MemoryNonces(monotonic);
    this.keyUses = keyUses;
    this.revocations = new MemoryRevocations({ now, monotonic }, revocationStore);
    this.#sweep = setInterval(() => {
      topics.sweep();
      histories.sweep();
      this.lastPositions.sweep();
      this.idempotency.sweep();
      this.counters.sweep();
      this.nonces.sweep();
      this.revocations.sweep();
    }, SWEEP_MS).unref();
  }

  /** Reads what outlives the process: histories, and what is known beside them; to be called before anything else. */
  async load(): Promise<void> {
    this.#topics.continueAfter(await this.#histories.load());
    for await (const { appId, kind, id, body, until } of this.#histories.loadNotes()) {
      if (kind === 'publish') this.idempotency.restore(appId, id, body, until);
      else this.lastPositions.restore(appId, id, body, until);
    }
    this.idempotency.sweep();
    this.lastPositions.sweep();
  }

  attach(listener: BusListener, journal: Journal): void {
    this.bus.attach(listener, journal);
    this.nodes.attach(listener);
  }

  /** Forgets what is kept of an app that is gone; its seats end with its connections. */
  forgetApp(appId: string): void {
    this.#topics.forgetApp(appId);
    this.#histories.forgetApp(appId);
    this.lastPositions.forgetApp(appId);
    this.idempotency.forgetApp(appId);
    this.revocations.forgetApp(appId);
    this.nonces.forgetApp(appId);
    if (this.keyUses instanceof MemoryKeyUses) this.keyUses.forgetApp(appId);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#histories.close();
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

/** The histories by topic. */
class TopicHistory implements History {
  readonly #topics: Topics;
  readonly #histories: MemoryHistory;

  constructor(topics: Topics, histories: MemoryHistory) {
    this.#topics = topics;
    this.#histories = histories;
  }

  async read(topic: Topic, query: HistoryQuery): Promise<HistoryPage | LostCode> {
    return this.#histories.read(appOfTopic(topic), channelOfTopic(topic), query);
  }

  async position(topic: Topic): Promise<Position> {
    return this.#histories.position(appOfTopic(topic), channelOfTopic(topic));
  }

  async purge(topic: Topic): Promise<void> {
    this.#histories.purge(appOfTopic(topic), channelOfTopic(topic));
    this.#topics.forgetKept(topic);
  }
}

export interface MemoryAdapterOptions {
  /** Wall-clock time in Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Milliseconds of a monotonic clock, by which everything expires. @default performance.now */
  readonly monotonic?: () => number;
  /** Persists revocations. */
  readonly revocationStore?: RevocationStore | undefined;
  /** Where the last uses of keys are remembered. @default in this process */
  readonly keyUses?: KeptKeyUses | undefined;
  /** Bounds of what cache channels keep. @default none */
  readonly kept?: KeptEventsOptions;
  /** Bounds of what channels with a history keep. @default none */
  readonly history?: MemoryHistoryOptions;
  /** Bounds of what is known of publishes under an idempotency key. @default none */
  readonly idempotency?: RecordBounds;
  /** Called when the last positions of an app have reached a bound. */
  readonly onLastPositionsBound?: OnLastPositionsBound | undefined;
}
