import { type Grant, userOf } from '../access/grant.ts';
import type { Term } from '../access/term.ts';
import type { Version } from '../adapter/adapter.ts';
import { Eviction, type SubscriptionRefusal } from '../errors.ts';
import type { Frame } from '../protocol/frames.ts';
import type { Subscriber } from './subscriber.ts';

/** Frames that may wait for one snapshot: an adapter that does not answer must not fill the memory. */
const MAX_BUFFERED_FRAMES = 10_000;

/** Too many messages arrived while a snapshot was on its way. */
export class BufferOverflow extends Error {
  override readonly name = 'BufferOverflow';
}

/** A message with a version: a kept event, or a change of the roster. */
export interface News {
  readonly frame: Frame;
  readonly version: Version;
  readonly isEvent: boolean;
}

/**
 * One subscriber's part in one channel. Buffers versioned messages while a snapshot is on its way, and then passes
 * only newer ones. The first snapshot holds the kept event and the roster, later ones hold the roster.
 */
export class Subscription {
  /** The version of the join. Evictions with a higher version end this subscription. */
  #joinedAt: Version = 0;
  #eventsSince: Version = 0;
  #rosterSince: Version = 0;
  /** The number of snapshots that are on their way. */
  #awaited = 1;
  /** Messages that wait for a snapshot; `undefined` while none is on its way. */
  #buffered: News[] | undefined = [];
  /** The eviction that ends it, once the version of the join is known. */
  #evicted: { readonly reason: string; readonly version: Version } | undefined;
  /** The reason for its end. */
  #ended: SubscriptionRefusal | undefined;
  #grant: Grant;
  /** The life of the grant, if it has an end. */
  term: Term | undefined;

  constructor(grant: Grant) {
    this.#grant = grant;
  }

  get grant(): Grant {
    return this.#grant;
  }

  /** The id of the member, in a presence channel. */
  get userId(): string | undefined {
    return this.#grant.member?.userId;
  }

  /** Whether a grant is for another user than the present one, as far as both name one. */
  isForAnother(grant: Grant): boolean {
    const [present, other] = [userOf(this.#grant), userOf(grant)];
    return present !== undefined && other !== undefined && present !== other;
  }

  /** Replaces the grant. The member stays as the other members know it. */
  renew({ key, member, claims }: Grant): void {
    this.#grant = { key, member: this.#grant.member ?? member, claims };
  }

  /** Ends the subscription. A join in progress is refused for the same reason. */
  end(why: SubscriptionRefusal): void {
    this.#ended = why;
  }

  /** Sends a message, buffers it, or drops it if a snapshot included it. Returns whether it was sent. */
  deliver(subscriber: Subscriber, news: News): boolean {
    if (this.#buffered) {
      if (this.#buffered.length <= MAX_BUFFERED_FRAMES) this.#buffered.push(news);
      return false;
    }
    if (this.#isSeen(news)) return false;
    this.#note(news);
    subscriber.send(news.frame);
    return true;
  }

  /**
   * Ends the subscription if it was joined before a version, also if its snapshot is still on its way.
   *
   * @returns whether it ends
   */
  evict(reason: string, version: Version): boolean {
    if (version <= this.#joinedAt) return false;
    this.#evicted = { reason, version };
    return true;
  }

  /** Whether its join is queued: it was acknowledged before it has a seat. */
  get hasNoSeat(): boolean {
    return this.#joinedAt === 0;
  }

  /** Whether it was joined before a version. */
  isOlderThan(version: Version): boolean {
    return this.#joinedAt < version;
  }

  /** Whether the subscriber's view of the roster is older than a version. */
  isBehind(version: Version): boolean {
    return this.#rosterSince < version;
  }

  /** Whether the subscriber's view of the roster is newer than a version. */
  isAhead(version: Version): boolean {
    return this.#rosterSince > version;
  }

  /** Whether the subscriber got the event that was kept when it joined, or a later one. */
  get knowsEvents(): boolean {
    return this.#eventsSince > 0;
  }

  /** Whether the subscriber lacks a kept event: the node missed it, or the subscriber has got none yet. */
  misses(version: Version, missedUntil: Version): boolean {
    return version > this.#eventsSince && (version <= missedUntil || !this.knowsEvents);
  }

  /** Buffers messages from now on, because another snapshot was requested. */
  buffer(): void {
    this.#awaited += 1;
    this.#buffered ??= [];
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

  /** The subscriber needs no events up to this version. */
  markSeen(version: Version): void {
    this.#eventsSince = Math.max(this.#eventsSince, version);
  }

  /**
   * Ends the wait for one snapshot, which has arrived or will not come. While another one is on its way, buffering
   * goes on: that one may be older than the messages that would pass.
   *
   * @param since the version of the snapshot
   * @returns the buffered frames that are newer
   * @throws SubscriptionRefusal if the subscription was ended in the meantime
   * @throws BufferOverflow if messages were lost
   */
  resume(since: Version = this.#rosterSince): readonly Frame[] {
    const buffered = this.#buffered ?? [];
    this.#awaited -= 1;
    if (buffered.length > MAX_BUFFERED_FRAMES)
      throw new BufferOverflow('Too many frames waited for one snapshot');
    this.#rosterSince = Math.max(this.#rosterSince, since);
    this.checkNotEnded();
    if (this.#awaited > 0) return [];
    this.#buffered = undefined;
    const news = buffered.filter((each) => !this.#isSeen(each));
    for (const each of news) this.#note(each);
    return news.map(({ frame }) => frame);
  }

  /** @throws SubscriptionRefusal if it was ended */
  checkNotEnded(): void {
    if (this.#ended) throw this.#ended;
    if (this.#evicted && this.isOlderThan(this.#evicted.version)) throw new Eviction(this.#evicted.reason);
  }

  #isSeen({ version, isEvent }: News): boolean {
    return version <= (isEvent ? this.#eventsSince : this.#rosterSince);
  }

  #note({ version, isEvent }: News): void {
    if (isEvent) this.#eventsSince = version;
  }
}
