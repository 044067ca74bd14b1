import type { Logger } from 'pino';
import { z } from 'zod';
import { InDoubt, Unavailable } from '../../errors.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { KeptEventsOptions } from '../memory/kept-events.ts';
import { appOfTopic, channelOfTopic, type Topic, topicOf } from '../topic.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';

/** Milliseconds for which what was kept is gathered, so that a publish costs no command of its own. */
const GATHER_MS = 100;
/** Events that are counted in one step of Redis. */
const MAX_AT_ONCE = 500;

const evictedSchema = z.array(z.string());

/** The last event of a cache channel. */
export interface KeptNote {
  readonly version: string;
  readonly bytes: number;
  readonly seconds: number;
}

export type CacheIndexBounds = Pick<KeptEventsOptions, 'boundsOf' | 'onEvicted'>;

/**
 * Bounds what the cache channels of an app keep in Redis: beyond it the event that would end first is forgotten. The
 * channels of an app are on different servers of a cluster, so what was kept is counted soon after it, in one list an app.
 */
export class CacheIndex {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #bounds: CacheIndexBounds;
  readonly #log: Logger;
  /** What is not counted yet, by app and channel. */
  #notes = new Map<string, Map<string, KeptNote>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(commands: ScriptRunner, keys: Keys, bounds: CacheIndexBounds, log: Logger) {
    this.#commands = commands;
    this.#keys = keys;
    this.#bounds = bounds;
    this.#log = log;
  }

  note(topic: Topic, note: KeptNote): void {
    const appId = appOfTopic(topic);
    const notes = this.#notes.get(appId);
    if (notes) notes.set(channelOfTopic(topic), note);
    else this.#notes.set(appId, new Map([[channelOfTopic(topic), note]]));
    this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS).unref();
  }

  /** Counts what was gathered. */
  async flush(): Promise<void> {
    const apps = this.#notes;
    this.#notes = new Map();
    this.#timer = undefined;
    for (const [appId, notes] of apps) {
      try {
        await this.#count(appId, [...notes]);
      } catch (error) {
        if (error instanceof Unavailable || error instanceof InDoubt) this.#putBack(appId, notes);
        else this.#log.error({ err: error, appId }, 'kept events could not be counted');
      }
    }
  }

  /** Forgets what the cache channels of an app have kept, which is gone. What is counted later is dropped, as it has no room then. */
  async forgetApp(appId: string): Promise<void> {
    this.#notes.delete(appId);
    const key = this.#keys.cached(appId);
    for (;;) {
      const evicted = evictedSchema.parse(await this.#commands.run(scripts.keep, key, 0, 0));
      if (evicted.length === 0) return;
      for (let n = 0; n + 1 < evicted.length; n += 2) await this.#drop(appId, evicted[n], evicted[n + 1]);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** What was published since then holds. */
  #putBack(appId: string, notes: ReadonlyMap<string, KeptNote>): void {
    const newer = this.#notes.get(appId);
    for (const [channel, note] of notes) {
      if (!newer?.has(channel)) this.note(topicOf(appId, channel), note);
    }
  }

  async #count(appId: string, notes: readonly (readonly [string, KeptNote])[]): Promise<void> {
    for (let from = 0; from < notes.length; from += MAX_AT_ONCE) {
      const { events, bytes } = this.#bounds.boundsOf(appId);
      const evicted = await this.#commands.run(
        scripts.keep,
        this.#keys.cached(appId),
        events,
        bytes,
        ...notes
          .slice(from, from + MAX_AT_ONCE)
          .flatMap(([channel, note]) => [channel, note.version, note.bytes, note.seconds]),
      );
      await this.#forget(appId, evictedSchema.parse(evicted));
    }
  }

  /** @param evicted channels, each with the version of the event that is forgotten */
  async #forget(appId: string, evicted: readonly string[]): Promise<void> {
    for (let n = 0; n + 1 < evicted.length; n += 2) {
      await this.#drop(appId, evicted[n], evicted[n + 1]);
      this.#bounds.onEvicted?.(appId);
    }
  }

  async #drop(appId: string, channel = '', version = ''): Promise<void> {
    await this.#commands.run(scripts.forget, this.#keys.topic(topicOf(appId, channel)), version);
  }
}
