import { z } from 'zod';
import { Unavailable } from '../../errors.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { Counters, Hit } from '../adapter.ts';
import type { Keys } from './keys.ts';
import type { HeldResources } from './membership/held-resources.ts';
import { scripts } from './scripts.ts';

const hitSchema = z.tuple([z.number(), z.number()]);

/** The places of this node in one quota. */
interface Share {
  /** Places that the node holds or has requested. */
  held: number;
  /** Resolves to the id under which they are held. */
  nodeId: Promise<string>;
}

/** Counters that all nodes share. Places are held by a node, and become free when it is gone. */
export class RedisCounters implements Counters {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #held: HeldResources;
  /** By quota; each app has one. */
  readonly #shares = new Map<string, Share>();

  constructor(commands: ScriptRunner, keys: Keys, held: HeldResources) {
    this.#commands = commands;
    this.#keys = keys;
    this.#held = held;
  }

  async hit(key: string, windowMs: number, by = 1): Promise<Hit> {
    const answer = await this.#commands.run(scripts.hit, this.#keys.hits(key), windowMs, by);
    const [hits, leftMs] = hitSchema.parse(answer);
    return { hits, leftMs };
  }

  /** While Redis cannot be reached, the node counts its own places only. */
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
      await this.#commands.run(scripts.release, this.#keys.places(key), await share.nodeId);
    } catch (error) {
      // The place is given back when the node joins again.
      if (!(error instanceof Unavailable)) throw error;
    }
  }

  /** Takes all places of this node again, under its present id. */
  async retakeAll(): Promise<void> {
    await Promise.all(
      [...this.#shares].map(async ([key, share]) => {
        share.nodeId = this.#held.note('quotas', key);
        const node = await share.nodeId;
        await this.#commands.run(scripts.setPlaces, this.#keys.places(key), node, share.held);
      }),
    );
  }

  async #hold(key: string, share: Share, limit: number): Promise<boolean> {
    const { nodeId } = share;
    const taken = await this.#commands.runBeforeDeadline(
      scripts.hold,
      this.#keys.places(key),
      await nodeId,
      Number.isFinite(limit) ? limit : '',
    );
    if (taken === 1) return true;
    // If the node has joined again meanwhile, the refused place was counted there.
    if (share.nodeId !== nodeId) {
      await this.#commands.run(scripts.release, this.#keys.places(key), await share.nodeId);
    }
    return false;
  }

  #share(key: string): Share {
    let share = this.#shares.get(key);
    if (!share) {
      share = { held: 0, nodeId: this.#held.note('quotas', key) };
      share.nodeId.catch(() => {});
      this.#shares.set(key, share);
    }
    return share;
  }
}
