import type { Version } from '../adapter/adapter.ts';
import { Eviction } from '../errors.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Subscriber } from './hub.ts';

/** Frames that may wait for one snapshot: an adapter that does not answer must not fill the memory. */
const MAX_HELD_FRAMES = 10_000;

/** What has a version: an event that is kept, or a difference in the roster. */
export interface News {
  readonly frame: Frame;
  readonly version: Version;
  readonly isEvent: boolean;
}

/**
 * One subscriber's part in one channel. While a snapshot is on its way to him, news is held back; once it is
 * there, only what is newer passes. The first snapshot tells the kept event and the roster, a later one the roster.
 */
export class Subscription {
  #eventsSince: Version = 0;
  #rosterSince: Version = 0;
  /** `undefined` while no snapshot is on its way. */
  #held: News[] | undefined = [];
  /** Why the application ended it. */
  #evicted: string | undefined;

  /** @param userId the member that the subscriber is, in a presence channel */
  constructor(readonly userId: string | undefined) {}

  /** Sends news, holds it back, or drops what a snapshot already told; answers whether it was sent. */
  offer(subscriber: Subscriber, news: News): boolean {
    if (this.#held) {
      if (this.#held.length <= MAX_HELD_FRAMES) this.#held.push(news);
      return false;
    }
    if (this.#isTold(news)) return false;
    subscriber.send(news.frame);
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

  /** Ends the wait for the first snapshot, as {@link resume} does. */
  settle(since: Version): readonly Frame[] {
    this.#eventsSince = since;
    return this.resume(since);
  }

  /**
   * Ends the wait, now that there is a later snapshot or none will come.
   *
   * @param since the version of the snapshot
   * @returns what was held back and is newer
   * @throws Eviction if the application ended the subscription meanwhile
   * @throws Error if more was held back than could be
   */
  resume(since: Version = this.#rosterSince): readonly Frame[] {
    const held = this.#held ?? [];
    if (held.length > MAX_HELD_FRAMES) throw new Error('Too many frames waited for one snapshot');
    this.#held = undefined;
    this.#rosterSince = since;
    if (this.#evicted !== undefined) throw new Eviction(this.#evicted);
    return held.filter((news) => !this.#isTold(news)).map(({ frame }) => frame);
  }

  #isTold({ version, isEvent }: News): boolean {
    return version <= (isEvent ? this.#eventsSince : this.#rosterSince);
  }
}
