import type { Logger } from 'pino';
import { z } from 'zod';
import { InDoubt, Unavailable } from '../../../errors.ts';
import type { MemoryHistoryOptions } from '../../../history/memory-history.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import { appOfTopic, channelOfTopic, type Topic, topicOf } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';
import { newNonce } from './ids.ts';

/** Milliseconds for which changes are gathered, so that a publish costs no command of its own. */
const GATHER_MS = 100;
/** Channels that are counted in one step of Redis. */
const MAX_AT_ONCE = 500;
/** Channels that drop events after one count; the next one goes on. */
const MAX_SHRUNK = 100;

const keptSchema = z.tuple([z.number(), z.string(), z.number(), z.string()]);
const shrunkSchema = z.tuple([z.number(), z.number(), z.number()]);

/** The history of a channel after a change. */
export interface HistorySize {
  readonly bytes: number;
  /** The version of its oldest event. */
  readonly age: number;
  readonly seconds: number;
}

export type HistoryBounds = Omit<MemoryHistoryOptions, 'bytes'>;

/**
 * Bounds the histories of an app in Redis: beyond it the oldest events are dropped. The channels of an app are on different
 * servers of a cluster, so their bytes are counted soon after a publish, in one place for each app.
 */
export class HistoryIndex {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #bounds: HistoryBounds;
  readonly #log: Logger;
  /** What is not counted yet, by app and channel. */
  #sizes = new Map<string, Map<string, HistorySize>>();
  /** Runs until what was gathered is counted: a later count must not be overwritten by an earlier one. */
  #timer: NodeJS.Timeout | undefined;
  /** The last count; each waits for the one before. */
  #counting: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(commands: ScriptRunner, keys: Keys, bounds: HistoryBounds, log: Logger) {
    this.#commands = commands;
    this.#keys = keys;
    this.#bounds = bounds;
    this.#log = log;
  }

  note(topic: Topic, size: HistorySize): void {
    const appId = appOfTopic(topic);
    const sizes = this.#sizes.get(appId) ?? new Map<string, HistorySize>();
    this.#sizes.set(appId, sizes.set(channelOfTopic(topic), size));
    this.#timer ??= this.#schedule();
  }

  /** Counts what was gathered. */
  flush(): Promise<void> {
    this.#counting = this.#counting.then(() => this.#countAll());
    return this.#counting;
  }

  /** Bytes of all histories of an app, as far as they are counted. */
  async bytesOf(appId: string): Promise<number> {
    const key = this.#keys.histories(appId);
    const [bytes] = keptSchema.parse(
      await this.#commands.run(scripts.countHistories, key, Number.MAX_SAFE_INTEGER),
    );
    return bytes;
  }

  /** Forgets what the channels of an app have kept, which is gone. What is counted later is dropped, as it has no room then. */
  async forgetApp(appId: string): Promise<void> {
    this.#sizes.delete(appId);
    const none = [0, 0, 0];
    for (let emptied: (string | number)[] = []; ; ) {
      const key = this.#keys.histories(appId);
      const answer = await this.#commands.run(scripts.countHistories, key, 0, ...emptied);
      const [, channel] = keptSchema.parse(answer);
      if (channel === '') return;
      await this.#commands.run(scripts.purgeHistory, this.#keys.topic(topicOf(appId, channel)), newNonce());
      emptied = [channel, ...none];
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #schedule(): NodeJS.Timeout {
    return setTimeout(() => {
      void this.flush().finally(() => {
        this.#timer = this.#sizes.size === 0 || this.#isClosed ? undefined : this.#schedule();
      });
    }, GATHER_MS).unref();
  }

  async #countAll(): Promise<void> {
    const apps = this.#sizes;
    this.#sizes = new Map();
    for (const [appId, sizes] of apps) {
      try {
        await this.#count(appId, [...sizes]);
      } catch (error) {
        if (!(error instanceof Unavailable || error instanceof InDoubt)) {
          this.#log.error({ err: error, appId }, 'histories could not be counted');
          continue;
        }
        // What has changed since then holds.
        const newer = this.#sizes.get(appId);
        for (const [channel, size] of sizes) {
          if (!newer?.has(channel)) this.note(topicOf(appId, channel), size);
        }
      }
    }
  }

  async #count(appId: string, sizes: readonly (readonly [string, HistorySize])[]): Promise<void> {
    for (let from = 0; from < sizes.length; from += MAX_AT_ONCE) {
      let changed = sizes.slice(from, from + MAX_AT_ONCE);
      for (let shrunk = 0; shrunk <= MAX_SHRUNK; shrunk += 1) {
        const [bytes, channel, maxBytes, until] = keptSchema.parse(
          await this.#commands.run(
            scripts.countHistories,
            this.#keys.histories(appId),
            this.#bounds.boundOf(appId),
            ...changed.flatMap(([name, size]) => [name, size.bytes, size.age, size.seconds]),
          ),
        );
        this.#bounds.countsOf(appId).bytes = bytes;
        if (channel === '') break;
        changed = [[channel, await this.#shrink(appId, channel, maxBytes, until)]];
      }
    }
  }

  async #shrink(appId: string, channel: string, maxBytes: number, until: string): Promise<HistorySize> {
    const key = this.#keys.topic(topicOf(appId, channel));
    const answer = await this.#commands.run(scripts.shrinkHistory, key, newNonce(), maxBytes, until);
    const [bytes, age, dropped] = shrunkSchema.parse(answer);
    this.#bounds.countsOf(appId).evicted += dropped;
    this.#bounds.onBound?.(appId);
    return { bytes, age, seconds: LONGEST_SECONDS };
  }
}

/**
 * The rule of a channel that was shrunk is not known. It is counted again with its rule at its next event; without one it is
 * the oldest, so it is shrunk first and then found to be empty.
 */
const LONGEST_SECONDS = 604_800;
