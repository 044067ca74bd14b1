import { z } from 'zod';
import { Unavailable } from '../../errors.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { Counters, Hit } from '../adapter.ts';
import type { Keys } from './keys.ts';
import type { HeldResources } from './membership/held-resources.ts';
import { scripts } from './scripts.ts';

const hitSchema = z.tuple([z.number(), z.number()]);

/** What this node holds of one quota. */
interface Share {
  /** Places that it holds, or has asked for. */
  held: number;
  /** The id under which they are held, once that is noted. */
  marked: Promise<string>;
}

/** Numbers that all nodes count together. Places are held by a node, and free when it is gone. */
export class RedisCounters implements Counters {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #marks: HeldResources;
  /** By quota; there is one an app. */
  readonly #shares = new Map<string, Share>();

  constructor(commands: ScriptRunner, keys: Keys, marks: HeldResources) {
    this.#commands = commands;
    this.#keys = keys;
    this.#marks = marks;
  }

  async hit(key: string, windowMs: number, by = 1): Promise<Hit> {
    const answer = await this.#commands.run(scripts.hit, this.#keys.hits(key), windowMs, by);
    const [hits, leftMs] = hitSchema.parse(answer);
    return { hits, leftMs };
  }

  /** While Redis cannot be reached, a node looks at its own places only. */
  async hold(key: string, limit: number): Promise<boolean> {
    const share = this.#share(key);
    share.held += 1;
    try {
      if (await this.#hold(key, share, limit)) return true;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      if (share.held <= limit) return true;
    }
    share.held -= 1;
    return false;
  }

  async release(key: string): Promise<void> {
    const share = this.#share(key);
    share.held -= 1;
    try {
      await this.#commands.run(scripts.release, this.#keys.places(key), await share.marked);
    } catch (error) {
      // It is given back when the node begins a new life.
      if (!(error instanceof Unavailable)) throw error;
    }
  }

  /** Takes all places of this node again, under its present id. */
  async announce(): Promise<void> {
    await Promise.all(
      [...this.#shares].map(async ([key, share]) => {
        share.marked = this.#marks.note('quotas', key);
        const node = await share.marked;
        await this.#commands.run(scripts.setPlaces, this.#keys.places(key), node, share.held);
      }),
    );
  }

  async #hold(key: string, share: Share, limit: number): Promise<boolean> {
    const { marked } = share;
    const taken = await this.#commands.runBeforeDeadline(
      scripts.hold,
      this.#keys.places(key),
      await marked,
      Number.isFinite(limit) ? limit : '',
    );
    if (taken === 1) return true;
    // What was refused was counted all the same if the node has begun a new life meanwhile.
    if (share.marked !== marked) {
      await this.#commands.run(scripts.release, this.#keys.places(key), await share.marked);
    }
    return false;
  }

  #share(key: string): Share {
    let share = this.#shares.get(key);
    if (!share) {
      share = { held: 0, marked: this.#marks.note('quotas', key) };
      share.marked.catch(() => {});
      this.#shares.set(key, share);
    }
    return share;
  }
}
