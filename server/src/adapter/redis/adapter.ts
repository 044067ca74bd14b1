import type { Logger } from 'pino';
import { connectRedis } from '../../redis/connect.ts';
import { ReconnectingClient, reasonOf } from '../../redis/reconnecting-client.ts';
import { ScriptRunner } from '../../redis/script-runner.ts';
import type { Adapter, AdapterListener, Version } from '../adapter.ts';
import type { Journal } from '../journal.ts';
import { NOTHING_DONE } from '../questions.ts';
import { APPS, RedisAppRepository } from './app-repository.ts';
import { CacheIndex } from './cache-index.ts';
import { RedisChannelCache } from './channel-cache.ts';
import { RedisCounters } from './counters.ts';
import { RedisHistory } from './history/history.ts';
import { HistoryIndex } from './history/history-index.ts';
import { RedisLastPositions } from './history/last-positions.ts';
import { RedisRecords } from './idempotency/records.ts';
import { RedisKeyUses } from './key-uses.ts';
import { Keys } from './keys.ts';
import { HeldResources } from './membership/held-resources.ts';
import { NodeLease } from './membership/node-lease.ts';
import { Reaper } from './membership/reaper.ts';
import { COMMANDS, RedisBus } from './messages/bus.ts';
import { Inbox } from './messages/inbox.ts';
import { MissedQueue } from './messages/missed-queue.ts';
import { RedisNodes } from './messages/nodes.ts';
import { Subscriber } from './messages/subscriber.ts';
import { RedisNonces } from './nonces.ts';
import {
  type RedisAdapterOptions,
  UNBOUNDED_CACHE,
  UNBOUNDED_HISTORY,
  UNBOUNDED_RECORDS,
} from './options.ts';
import { RedisRevocations } from './revocations.ts';
import { ChannelIndex } from './roster/channel-index.ts';
import { JournalRecorder } from './roster/journal-recorder.ts';
import { LocalSeats } from './roster/local-seats.ts';
import { RedisRoster } from './roster/roster.ts';
import { scripts } from './scripts.ts';

/** A late joiner has missed everything up to now; a subscriber with a snapshot has missed nothing. */
const FIRST_VERSION: Version = 1;
/** Milliseconds within which Redis must answer, or this part of the time within which a dead node must be gone, if less. */
const COMMAND_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT = 0.15;

/**
 * The adapter of a cluster: all shared state is in Redis. While Redis cannot be reached, the shared state cannot change and
 * calls reject with {@link Unavailable}; afterwards each node takes its seats again by itself.
 */
export class RedisAdapter implements Adapter {
  readonly bus: RedisBus;
  readonly roster: RedisRoster;
  readonly channelCache: RedisChannelCache;
  readonly history: RedisHistory;
  readonly lastPositions: RedisLastPositions;
  readonly idempotency: RedisRecords;
  readonly counters: RedisCounters;
  readonly nonces: RedisNonces;
  readonly keyUses: RedisKeyUses;
  readonly revocations: RedisRevocations;
  readonly nodes: RedisNodes;
  /** The apps and tokens of the admin API. */
  readonly apps: RedisAppRepository;
  readonly #log: Logger;
  readonly #keys: Keys;
  readonly #commandLink: ReconnectingClient;
  readonly #messageLink: ReconnectingClient;
  /** Runs scripts on the connection for commands. */
  readonly commands: ScriptRunner;
  readonly #subscriber: Subscriber;
  readonly #missedQueue: MissedQueue;
  readonly #inbox: Inbox;
  readonly #recorder: JournalRecorder;
  readonly #cacheIndex: CacheIndex;
  readonly #historyIndex: HistoryIndex;
  readonly #seats = new LocalSeats();
  readonly #reaper: Reaper;
  readonly #node: NodeLease;
  #lapsedNodes = 0;

  private constructor({
    redis,
    nodeTimeoutSeconds,
    log,
    onGap,
    kept = UNBOUNDED_CACHE,
    history = UNBOUNDED_HISTORY,
    idempotency = UNBOUNDED_RECORDS,
    onLastPositionsBound,
  }: RedisAdapterOptions) {
    const timeoutMs = nodeTimeoutSeconds * 1000;
    const commandTimeoutMs = Math.min(COMMAND_TIMEOUT_MS, timeoutMs * COMMAND_TIMEOUT);
    this.#log = log;
    const keys = new Keys(redis.prefix);
    this.#keys = keys;
    const link = { connect: (name: string) => connectRedis(redis, name, COMMAND_TIMEOUT_MS), log };
    this.#commandLink = new ReconnectingClient({
      ...link,
      name: 'commands',
      onOpen: () => this.#node.rejoin(),
    });
    this.#messageLink = new ReconnectingClient({
      ...link,
      name: 'messages',
      onOpen: () => this.#subscribe(),
    });
    const commands = new ScriptRunner(this.#commandLink, commandTimeoutMs);
    this.commands = commands;
    this.#node = new NodeLease({
      commands,
      keys,
      log,
      timeoutMs,
      commandTimeoutMs,
      listener: {
        joined: () => this.#retakeAll(),
        beforeHeartbeat: () => this.#subscriber.expectHeartbeat(),
        onHeartbeat: () => this.#catchUp(),
        cleanUp: (id) => this.#cleanUp(id),
        lost: (reason) => this.#commandLink.fail(reason),
      },
    });
    this.#subscriber = new Subscriber({
      link: this.#messageLink,
      keys,
      pulse: keys.pulse(this.#node.processId),
      first: COMMANDS,
      heard: (json) => this.nodes.heard(json),
      timeoutMs: commandTimeoutMs,
      streams: {
        commands,
        log,
        deliver: (topic, envelope) => this.#inbox.deliver(topic, envelope),
        missed: (topic, version, ended) => {
          onGap?.();
          log.error({ topic }, 'messages lost; the connection was down for too long');
          this.#inbox.missed(topic, version, ended);
        },
        forgotten: (topic, version, ended) => {
          log.debug({ topic }, 'topic restarted in redis; subscribers will resync');
          this.#inbox.missed(topic, version, ended, 'later');
        },
        startedLate: (topic, version) => this.#inbox.missed(topic, version),
      },
    });
    this.#missedQueue = new MissedQueue(this.#subscriber, log, () => this.#node.settled());
    const index = new ChannelIndex(commands, keys);
    const held = new HeldResources(commands, keys, this.#node);
    this.#recorder = new JournalRecorder(index, log);
    this.#reaper = new Reaper(commands, keys, index, this.#recorder, (topic, left) =>
      this.#inbox.listener?.lapsed(topic, left),
    );
    this.#cacheIndex = new CacheIndex(commands, keys, kept, log);
    this.#historyIndex = new HistoryIndex(commands, keys, history, log);
    this.bus = new RedisBus(
      commands,
      keys,
      this.#subscriber,
      this.#recorder,
      this.#cacheIndex,
      this.#historyIndex,
    );
    this.roster = new RedisRoster({
      commands,
      keys,
      node: this.#node,
      held,
      seats: this.#seats,
      index,
      recorder: this.#recorder,
      log,
      knowsRevoked: async () => {
        await this.#subscriber.caughtUp(COMMANDS);
        await this.#missedQueue.settled(COMMANDS);
        return this.#subscriber.isCurrent(COMMANDS) && !this.#missedQueue.has(COMMANDS);
      },
      onQueuedTaken: (topic) => this.#inbox.missed(topic, FIRST_VERSION),
    });
    this.channelCache = new RedisChannelCache(commands, keys);
    this.history = new RedisHistory(commands, keys);
    this.lastPositions = new RedisLastPositions(commands, keys, onLastPositionsBound);
    this.idempotency = new RedisRecords(commands, keys, idempotency);
    this.counters = new RedisCounters(commands, keys, held);
    this.nonces = new RedisNonces(commands, keys);
    this.keyUses = new RedisKeyUses(commands, keys);
    this.revocations = new RedisRevocations(commands, keys);
    this.apps = new RedisAppRepository(commands, keys, {
      isCurrent: () => this.#node.holdsLease && this.#subscriber.isCurrent(APPS),
      caughtUp: () => this.#subscriber.caughtUp(APPS),
    });
    this.nodes = new RedisNodes({
      commands,
      keys,
      bus: this.bus,
      processId: this.#node.processId,
      log,
      hears: () => this.#subscriber.hears(),
      // A node without a listener has no connections yet, and reads the kept revocations before it admits any.
      answer: async (question) => (await this.#inbox.listener?.answer(question)) ?? NOTHING_DONE,
    });
    this.#inbox = new Inbox(this.#missedQueue, this.apps, this.nodes);
  }

  /** Connects; resolves after the first attempt, and keeps trying if that failed. */
  static async open(options: RedisAdapterOptions): Promise<RedisAdapter> {
    const adapter = new RedisAdapter(options);
    for (const topic of [COMMANDS, APPS]) adapter.bus.listen(topic).catch(() => {});
    await Promise.all([adapter.#messageLink.start(), adapter.#commandLink.start()]);
    await adapter.#node.settled();
    return adapter;
  }

  get fault(): string | undefined {
    return this.#commandLink.fault ?? this.#messageLink.fault;
  }

  /** The connections of the adapter. */
  get links(): readonly ReconnectingClient[] {
    return [this.#commandLink, this.#messageLink];
  }

  /** Seconds until the last heartbeat was answered; `undefined`: none was yet. */
  get heartbeatSeconds(): number | undefined {
    return this.#node.heartbeatSeconds;
  }

  /** How many other nodes were dead, or cut off for too long, and had seats that this node removed. */
  get lapsedNodes(): number {
    return this.#lapsedNodes;
  }

  attach(listener: AdapterListener, journal: Journal): void {
    this.#inbox.listener = listener;
    this.#missedQueue.attach(listener);
    this.#recorder.attach(journal);
  }

  /** Bytes of all histories of an app. */
  historyBytes(appId: string): Promise<number> {
    return this.#historyIndex.bytesOf(appId);
  }

  /** Counts what this node has kept of apps, so that any node can forget it. */
  async count(): Promise<void> {
    await Promise.all([this.#historyIndex.flush(), this.#cacheIndex.flush()]);
  }

  /** Forgets what is kept of an app that all nodes have removed. */
  async forgetApp(appId: string): Promise<void> {
    const drop = (key: string, endings: readonly string[]) =>
      this.commands.run(scripts.forgetKeys, key, ...endings);
    await Promise.all([
      this.#historyIndex.forgetApp(appId),
      this.#cacheIndex.forgetApp(appId),
      this.idempotency.forgetApp(appId),
      this.revocations.forgetApp(appId),
      drop(this.#keys.lastPositions(appId), ['', ':ends', ':bytes']),
      drop(this.#keys.nonces(appId), ['']),
      drop(this.#keys.keyUses(appId), ['']),
    ]);
  }

  async close(): Promise<void> {
    this.#missedQueue.close();
    this.#cacheIndex.close();
    this.#historyIndex.close();
    const node = await this.#node.close();
    try {
      if (node !== undefined) await this.#cleanUp(node);
    } catch (error) {
      this.#log.warn({ err: error }, 'failed to give up seats; other nodes will remove them');
    }
    this.#messageLink.close();
    this.#commandLink.close();
  }

  /** Retries what failed before, now that Redis can be reached. */
  #catchUp(): void {
    void this.#subscriber.catchUp();
    void this.roster.takeQueued();
    this.#missedQueue.retry();
    this.apps.retry();
  }

  #subscribe(): void {
    this.#subscriber.open().catch((error: unknown) => {
      this.#messageLink.fail(reasonOf(error));
    });
  }

  async #retakeAll(): Promise<void> {
    await Promise.all([this.roster.retakeAll(), this.counters.retakeAll()]);
    await this.#warnIfNotPersistent();
  }

  async #cleanUp(node: string): Promise<void> {
    const seats = await this.#reaper.reap(node);
    // A node that came back in time has taken its seats again already.
    if (seats > 0 && !this.#node.isOwn(node)) this.#lapsedNodes += 1;
    await this.commands.run(scripts.removeNode, this.#keys.nodes, node);
    this.#log.info({ node, seats }, 'dead node cleaned up');
  }

  async #warnIfNotPersistent(): Promise<void> {
    const persistence = String(await this.commands.run(scripts.persistence, this.#keys.nodes));
    if (!persistence.includes('aof_enabled:0')) return;
    this.#log.warn('redis has appendonly off; shared state is lost when it stops');
  }
}
