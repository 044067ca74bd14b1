import type { Version } from '../adapter/adapter.ts';
import { Eviction } from '../errors.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Subscriber } from './hub.ts';

/** Frames that may wait for one snapshot: an adapter that does not answer must not fill the memory. */
const MAX_HELD_FRAMES = 10_000;

interface HeldFrame {
  readonly frame: Frame;
  readonly version: Version;
}

/**
 * One subscriber's part in one channel. While a snapshot is on its way to him, news (all that has a version) is
 * held back; once it is there, only what is newer passes.
 */
export class Subscription {
  #since: Version = 0;
  /** `undefined` while no snapshot is on its way. */
  #held: HeldFrame[] | undefined = [];
  /** Why the application ended it. */
  #evicted: string | undefined;

  /** @param userId the member that the subscriber is, in a presence channel */
  constructor(readonly userId: string | undefined) {}

  /** Sends news, holds it back, or drops what the snapshot already told; answers whether it was sent. */
  offer(subscriber: Subscriber, frame: Frame, version: Version): boolean {
    if (this.#held) {
      if (this.#held.length <= MAX_HELD_FRAMES) this.#held.push({ frame, version });
      return false;
    }
    if (version <= this.#since) return false;
    subscriber.send(frame);
    return true;
  }

  /** The application ends it, also if no snapshot was there yet. */
  evict(reason: string): void {
    this.#evicted = reason;
  }

  /** Holds news back, since another snapshot was asked for. */
  hold(): void {
    this.#held ??= [];
  }

  /**
   * Ends the wait, now that there is a snapshot or none will come.
   *
   * @param since the version of the snapshot
   * @returns what was held back and is newer
   * @throws Eviction if the application ended the subscription meanwhile
   * @throws Error if more was held back than could be
   */
  settle(since: Version = this.#since): readonly Frame[] {
    const held = this.#held ?? [];
    if (held.length > MAX_HELD_FRAMES) throw new Error('Too many frames waited for one snapshot');
    this.#held = undefined;
    this.#since = since;
    if (this.#evicted !== undefined) throw new Eviction(this.#evicted);
    return held.filter(({ version }) => version > since).map(({ frame }) => frame);
  }
}
