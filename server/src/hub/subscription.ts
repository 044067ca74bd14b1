import type { Version } from '../adapter/adapter.ts';
import { Eviction, type SubscriptionRefusal } from '../errors.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Grant } from './grant.ts';
import type { Subscriber } from './subscriber.ts';

/** Frames that may wait for one snapshot: an adapter that does not answer must not fill the memory. */
const MAX_HELD_FRAMES = 10_000;

/** More happened while a snapshot was on its way than could be held back. */
export class TooMuchHeld extends Error {
  override readonly name = 'TooMuchHeld';
}

/** What has a version: an event that is kept, or a difference in the roster. */
export interface News {
  readonly frame: Frame;
  readonly version: Version;
  readonly isEvent: boolean;
}

/**
 * One subscriber's part in one channel, and what lets it in. While a snapshot is on its way to it, news is held back;
 * once it is there, only what is newer passes. The first snapshot tells the kept event and the roster, a later one the roster.
 */
export class Subscription {
  /** Whoever evicts him after this version means this subscription. */
  #joinedAt: Version = 0;
  #eventsSince: Version = 0;
  #rosterSince: Version = 0;
  /** Snapshots that are on their way. */
  #awaited = 1;
  /** `undefined` while none is. */
  #held: News[] | undefined = [];
  /** The application ends it. */
  #evicted: { readonly reason: string; readonly version: Version } | undefined;
  /** Why it has ended. */
  #ended: SubscriptionRefusal | undefined;
  #grant: Grant;

  constructor(grant: Grant) {
    this.#grant = grant;
  }

  /** What lets its subscriber in. */
  get grant(): Grant {
    return this.#grant;
  }

  /** The member that the subscriber is, in a presence channel. */
  get userId(): string | undefined {
    return this.#grant.member?.userId;
  }

  /** Goes on by a later grant, unless that is one for somebody else. */
  renew(grant: Grant): void {
    if (grant.member?.userId === this.userId) this.#grant = grant;
  }

  /** It is over; whatever of it is still under way is refused for the same reason. */
  end(why: SubscriptionRefusal): void {
    this.#ended = why;
  }

  /** Sends news, holds it back, or drops what a snapshot already told; answers whether it was sent. */
  deliver(subscriber: Subscriber, news: News): boolean {
    if (this.#held) {
      if (this.#held.length <= MAX_HELD_FRAMES) this.#held.push(news);
      return false;
    }
    if (this.#isTold(news)) return false;
    this.#note(news);
    subscriber.send(news.frame);
    return true;
  }

  /**
   * The application ends what was joined before a version, also if no snapshot was there yet.
   *
   * @returns whether it ends
   */
  evict(reason: string, version: Version): boolean {
    if (version <= this.#joinedAt) return false;
    this.#evicted = { reason, version };
    return true;
  }

  /** Whether it was let in before its seat was taken. */
  get isLate(): boolean {
    return this.#joinedAt === 0;
  }

  /** Whether it was joined before a version. */
  isOlderThan(version: Version): boolean {
    return this.#joinedAt < version;
  }

  /** Whether what its subscriber knows of the roster is older than a version. */
  isBehind(version: Version): boolean {
    return this.#rosterSince < version;
  }

  /** Whether its subscriber knows more of the roster than a version. */
  isAhead(version: Version): boolean {
    return this.#rosterSince > version;
  }

  /** Whether its subscriber has been told what was kept when it joined, or something later. */
  get knowsEvents(): boolean {
    return this.#eventsSince > 0;
  }

  /** Whether its subscriber lacks a kept event: it was missed, or nothing has been told yet. */
  misses(version: Version, missedUntil: Version): boolean {
    return version > this.#eventsSince && (version <= missedUntil || !this.knowsEvents);
  }

  /** Holds news back, since another snapshot was asked for. */
  buffer(): void {
    this.#awaited += 1;
    this.#held ??= [];
  }

  /**
   * Ends the wait for the first snapshot, as {@link resume} does.
   *
   * @param since 0 if there is none
   */
  start(since: Version): readonly Frame[] {
    this.#joinedAt = since;
    this.#eventsSince = since;
    return this.resume(since);
  }

  /** Its subscriber needs no events up to this version any more. */
  markSeen(version: Version): void {
    this.#eventsSince = Math.max(this.#eventsSince, version);
  }

  /**
   * Ends the wait for one snapshot, now that it is there or will not come. While another one is on its way, news goes on
   * being held back: that one may be older than what would pass.
   *
   * @param since the version of the snapshot
   * @returns what was held back and is newer
   * @throws SubscriptionRefusal if it was ended meanwhile
   * @throws TooMuchHeld if news is lost
   */
  resume(since: Version = this.#rosterSince): readonly Frame[] {
    const held = this.#held ?? [];
    this.#awaited -= 1;
    if (held.length > MAX_HELD_FRAMES) throw new TooMuchHeld('Too many frames waited for one snapshot');
    this.#rosterSince = Math.max(this.#rosterSince, since);
    if (this.#ended) throw this.#ended;
    if (this.#evicted && this.isOlderThan(this.#evicted.version)) throw new Eviction(this.#evicted.reason);
    if (this.#awaited > 0) return [];
    this.#held = undefined;
    const news = held.filter((each) => !this.#isTold(each));
    for (const each of news) this.#note(each);
    return news.map(({ frame }) => frame);
  }

  #isTold({ version, isEvent }: News): boolean {
    return version <= (isEvent ? this.#eventsSince : this.#rosterSince);
  }

  #note({ version, isEvent }: News): void {
    if (isEvent) this.#eventsSince = version;
  }
}
