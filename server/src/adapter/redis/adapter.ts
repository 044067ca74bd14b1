import type { Logger } from 'pino';
import { connectRedis } from '../../redis/connect.ts';
import { ReconnectingClient } from '../../redis/reconnecting-client.ts';
import { ScriptRunner } from '../../redis/script-runner.ts';
import type { RedisSettings } from '../../redis/settings.ts';
import type { Adapter, AdapterListener, Version } from '../adapter.ts';
import type { Journal } from '../journal.ts';
import type { Topic } from '../topic.ts';
import { RedisBlocks } from './blocks.ts';
import { CacheIndex, type CacheIndexBounds } from './cache-index.ts';
import { RedisChannelCache } from './channel-cache.ts';
import { RedisCounters } from './counters.ts';
import { Keys } from './keys.ts';
import { HeldResources } from './membership/held-resources.ts';
import { NodeLease } from './membership/node-lease.ts';
import { Reaper } from './membership/reaper.ts';
import { COMMANDS, RedisBus } from './messages/bus.ts';
import { commandOf, type Envelope, messageOf } from './messages/envelope.ts';
import { MissedQueue } from './messages/missed-queue.ts';
import { Subscriber } from './messages/subscriber.ts';
import { ChannelIndex } from './roster/channel-index.ts';
import { JournalRecorder } from './roster/journal-recorder.ts';
import { LocalSeats } from './roster/local-seats.ts';
import { RedisRoster } from './roster/roster.ts';
import { scripts } from './scripts.ts';

export interface RedisAdapterOptions {
  readonly redis: RedisSettings;
  /** Seconds within which what a dead node held is gone. */
  readonly nodeTimeoutSeconds: number;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Is told when messages of a topic were missed for good. */
  readonly onGap?: () => void;
  /** What the cache channels of an app may keep. @default whatever is published to them */
  readonly kept?: CacheIndexBounds;
}

const UNBOUNDED: CacheIndexBounds = {
  boundsOf: () => ({ events: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER }),
};
/** What who joins late has missed is whatever there is; who has a snapshot has missed nothing. */
const FIRST_VERSION: Version = 1;
/** Milliseconds that Redis has to answer, or this part of the time after which a dead node must be gone, if less. */
const COMMAND_TIMEOUT_MS = 2000;
const COMMAND_TIMEOUT = 0.15;

/**
 * The adapter of many nodes: everything is in Redis. While that cannot be reached, what nodes share cannot change,
 * and calls reject with {@link Unavailable}; afterwards each node takes its seats again by itself.
 */
export class RedisAdapter implements Adapter {
  readonly bus: RedisBus;
  readonly roster: RedisRoster;
  readonly channelCache: RedisChannelCache;
  readonly counters: RedisCounters;
  readonly blocks: RedisBlocks;
  readonly #log: Logger;
  readonly #keys: Keys;
  readonly #commandLink: ReconnectingClient;
  readonly #messageLink: ReconnectingClient;
  readonly #commands: ScriptRunner;
  readonly #subscriber: Subscriber;
  readonly #arrears: MissedQueue;
  readonly #edges: JournalRecorder;
  readonly #cacheIndex: CacheIndex;
  readonly #seats = new LocalSeats();
  readonly #reaper: Reaper;
  readonly #node: NodeLease;
  #lapsedNodes = 0;
  #listener: AdapterListener | undefined;

  private constructor({
    redis,
    nodeTimeoutSeconds,
    log,
    now = Date.now,
    onGap,
    kept = UNBOUNDED,
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
      onOpen: () => this.#node.begin(),
    });
    this.#messageLink = new ReconnectingClient({
      ...link,
      name: 'messages',
      onOpen: () => this.#subscribe(),
    });
    const commands = new ScriptRunner(this.#commandLink, commandTimeoutMs);
    this.#commands = commands;
    this.#node = new NodeLease({
      commands,
      keys,
      log,
      timeoutMs,
      commandTimeoutMs,
      listener: {
        live: () => this.#announce(),
        beating: () => this.#subscriber.expectPulse(),
        heard: () => this.#catchUp(),
        bury: (id) => this.#bury(id),
        lost: (reason) => this.#commandLink.fail(reason),
      },
    });
    this.#subscriber = new Subscriber({
      link: this.#messageLink,
      keys,
      pulse: keys.pulse(this.#node.processId),
      timeoutMs: commandTimeoutMs,
      feeds: {
        commands,
        log,
        deliver: (topic, envelope) => this.#deliver(topic, envelope),
        missed: (topic, version, ended) => {
          onGap?.();
          log.error({ topic }, 'messages missed: the link was down for too long');
          this.#missed(topic, version, ended);
        },
        forgotten: (topic, version, ended) => {
          log.debug({ topic }, 'a topic has begun anew: its subscribers are told how it stands');
          this.#missed(topic, version, ended, 'later');
        },
        late: (topic, version) => this.#missed(topic, version),
      },
    });
    this.#arrears = new MissedQueue(this.#subscriber, log, () => this.#node.settled());
    const directory = new ChannelIndex(commands, keys);
    const marks = new HeldResources(commands, keys, this.#node);
    this.#edges = new JournalRecorder(directory, log);
    this.#reaper = new Reaper(commands, keys, directory, this.#edges, (topic, left) =>
      this.#listener?.lapsed(topic, left),
    );
    this.#cacheIndex = new CacheIndex(commands, keys, kept, log);
    this.bus = new RedisBus(commands, keys, this.#subscriber, this.#edges, this.#cacheIndex);
    this.roster = new RedisRoster({
      commands,
      keys,
      node: this.#node,
      marks,
      seats: this.#seats,
      directory,
      edges: this.#edges,
      log,
      onLate: (topic) => this.#missed(topic, FIRST_VERSION),
    });
    this.channelCache = new RedisChannelCache(commands, keys);
    this.counters = new RedisCounters(commands, keys, marks);
    this.blocks = new RedisBlocks(commands, keys, now);
  }

  /** Connects; where that does not succeed at once, it goes on trying. */
  static async open(options: RedisAdapterOptions): Promise<RedisAdapter> {
    const adapter = new RedisAdapter(options);
    adapter.bus.listen(COMMANDS).catch(() => {});
    await Promise.all([adapter.#messageLink.start(), adapter.#commandLink.start()]);
    await adapter.#node.settled();
    return adapter;
  }

  get fault(): string | undefined {
    return this.#commandLink.fault ?? this.#messageLink.fault;
  }

  /** Its connections. */
  get links(): readonly ReconnectingClient[] {
    return [this.#commandLink, this.#messageLink];
  }

  /** Seconds until the last heartbeat was answered; `undefined`: none was yet. */
  get heartbeatSeconds(): number | undefined {
    return this.#node.heartbeatSeconds;
  }

  /** How many other nodes were gone, or cut off for too long, and had seats that this one took away. */
  get lapsedNodes(): number {
    return this.#lapsedNodes;
  }

  attach(listener: AdapterListener, journal: Journal): void {
    this.#listener = listener;
    this.#arrears.attach(listener);
    this.#edges.attach(journal);
  }

  async close(): Promise<void> {
    this.#arrears.close();
    this.#cacheIndex.close();
    const node = await this.#node.close();
    try {
      if (node !== undefined) await this.#bury(node);
    } catch (error) {
      this.#log.warn({ err: error }, 'seats not given up: other nodes take them away');
    }
    this.#messageLink.close();
    this.#commandLink.close();
  }

  #deliver(topic: Topic, envelope: Envelope): void {
    if (topic === COMMANDS) {
      this.#listener?.obey(commandOf(envelope));
    } else {
      this.#listener?.deliver(messageOf(topic, envelope));
    }
  }

  #missed(topic: Topic, version: Version, ended?: Version, when: 'now' | 'later' = 'now'): void {
    if (topic === COMMANDS) {
      if (ended !== undefined) this.#arrears.note(topic, { kind: 'terminations' });
      return;
    }
    const missed = { kind: 'messages', topic, version, evicted: ended } as const;
    if (when === 'later') this.#arrears.noteLater(topic, missed);
    else this.#arrears.note(topic, missed);
  }

  /** Redis can be reached: does what could not be done before. */
  #catchUp(): void {
    void this.#subscriber.catchUp();
    void this.roster.takeLate();
    this.#arrears.settle();
  }

  #subscribe(): void {
    this.#subscriber.open().catch((error: unknown) => {
      this.#messageLink.fail(error instanceof Error ? error.message : String(error));
    });
  }

  async #announce(): Promise<void> {
    await Promise.all([this.roster.announce(), this.counters.announce()]);
    await this.#warnIfForgetful();
  }

  async #bury(node: string): Promise<void> {
    const seats = await this.#reaper.reap(node);
    // Another one that came back in time has taken its seats already.
    if (seats > 0 && !this.#node.isOwn(node)) this.#lapsedNodes += 1;
    await this.#commands.run(scripts.removeNode, this.#keys.nodes, node);
    this.#log.info({ node, seats }, 'node buried');
  }

  async #warnIfForgetful(): Promise<void> {
    const persistence = String(await this.#commands.run(scripts.persistence, this.#keys.nodes));
    if (!persistence.includes('aof_enabled:0')) return;
    this.#log.warn('redis has appendonly off: what it holds is lost when it stops');
  }
}
