import { type Grant, userOf } from '../../access/grant.ts';
import type { Term } from '../../access/term.ts';
import type { Version } from '../../adapter/adapter.ts';
import type { SubscriptionRefusal } from '../../errors.ts';
import type { Position } from '../../history/history.ts';
import type { Frame } from '../../protocol/frames.ts';
import type { Subscriber } from '../subscriber.ts';

/** Frames that may wait for one snapshot: an adapter that does not answer must not fill the memory. */
const MAX_BUFFERED_FRAMES = 10_000;

/** Too many messages arrived while a snapshot was on its way. */
export class BufferOverflow extends Error {
  override readonly name = 'BufferOverflow';
}

/** A message with a version: a kept event, or a change of the roster. */
export interface News {
  readonly frame: Frame;
  /** The same with its position and its cause, for subscribers that understand them; `undefined` if it has none. */
  readonly extended?: Frame | undefined;
  readonly version: Version;
  readonly isEvent: boolean;
  readonly position?: Position | undefined;
}

/** The frame of a message for one subscriber. */
export function frameFor(news: News, { isCapable }: Subscriber): Frame {
  return (isCapable && news.extended) || news.frame;
}

/**
 * One subscriber's part in one channel. Buffers versioned messages while a snapshot is on its way, and then passes
 * only newer ones. The first snapshot holds the kept event and the roster, later ones hold the roster.
 */
export class Subscription {
  /** The version of the join. */
  #joinedAt: Version = 0;
  #eventsSince: Version = 0;
  #rosterSince: Version = 0;
  /** The number of snapshots that are on their way. */
  #awaited = 1;
  /** Messages that wait for a snapshot; `undefined` while none is on its way. */
  #buffered: News[] | undefined = [];
  /** Live events that wait for the end of a replay; `dropped`: some did not wait; `undefined`: no replay is in progress. */
  #held: News[] | 'dropped' | undefined;
  #ended: SubscriptionRefusal | undefined;
  /** The position of the last event that the subscriber got, or after which it gets events. */
  #position: Position | undefined;
  #grant: Grant;
  /**
   * The position after which everything was to be sent to a client that knows none, and when, by the monotonic clock, that
   * was done; `undefined`: the client knows positions, or there are none.
   */
  owed: { at: number; readonly position: Position } | undefined;
  /** Unix seconds at which it began. */
  since = 0;
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
  renew(grant: Grant): void {
    this.#grant = { ...grant, member: this.#grant.member ?? grant.member };
  }

  /** Ends the subscription. A join in progress is refused for the same reason. */
  end(why: SubscriptionRefusal): void {
    this.#ended = why;
  }

  /** Why the broker ended it; `undefined`: it has not. */
  get whyEnded(): SubscriptionRefusal | undefined {
    return this.#ended;
  }

  /** Sends a message, buffers it, or drops it if a snapshot included it. Returns whether it was sent. */
  deliver(subscriber: Subscriber, news: News): boolean {
    if (this.#buffered) {
      if (this.#buffered.length <= MAX_BUFFERED_FRAMES) this.#buffered.push(news);
      return false;
    }
    if (this.#isSeen(news)) return false;
    if (this.#held && news.isEvent) return this.#hold(news);
    this.#note(news);
    subscriber.send(frameFor(news, subscriber));
    return true;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  /** The subscriber has got all events up to a position. */
  reach(position: Position | undefined): void {
    this.#position = position;
  }

  /** Live events wait from now on, while the history is read that has those before. */
  hold(): void {
    this.#held = [];
  }

  /** Live events are dropped from now on: a part of the history that has them will be read. */
  dropLive(): void {
    this.#held = 'dropped';
  }

  /**
   * The replay is over: live events are sent from now on.
   *
   * @param version of the newest event that was replayed
   * @returns the events after it; `undefined` if some were dropped, so the replay must go on
   */
  release(version: Version): readonly News[] | undefined {
    const held = this.#held ?? [];
    if (held === 'dropped') return undefined;
    this.#held = undefined;
    this.markSeen(version);
    const news = held.filter((each) => !this.#isSeen(each));
    for (const each of news) this.#note(each);
    return news;
  }

  #hold(news: News): false {
    if (this.#held !== 'dropped' && this.#held && this.#held.length < MAX_BUFFERED_FRAMES)
      this.#held.push(news);
    else this.#held = 'dropped';
    return false;
  }

  /** Whether its join is queued: it was acknowledged before it has a seat. */
  get hasNoSeat(): boolean {
    return this.#joinedAt === 0;
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
  start(since: Version): readonly News[] {
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
   * @returns the buffered messages that are newer, without events while a replay is in progress
   * @throws SubscriptionRefusal if the subscription was ended in the meantime
   * @throws BufferOverflow if messages were lost
   */
  resume(since: Version = this.#rosterSince): readonly News[] {
    const buffered = this.#buffered ?? [];
    this.#awaited -= 1;
    if (buffered.length > MAX_BUFFERED_FRAMES)
      throw new BufferOverflow('Too many frames waited for one snapshot');
    this.#rosterSince = Math.max(this.#rosterSince, since);
    this.checkNotEnded();
    if (this.#awaited > 0) return [];
    this.#buffered = undefined;
    const newer = buffered.filter((each) => !this.#isSeen(each));
    const news: News[] = [];
    for (const each of newer) {
      if (this.#held && each.isEvent) {
        this.#hold(each);
      } else {
        this.#note(each);
        news.push(each);
      }
    }
    return news;
  }

  /** @throws SubscriptionRefusal if it was ended */
  checkNotEnded(): void {
    if (this.#ended) throw this.#ended;
  }

  #isSeen({ version, isEvent }: News): boolean {
    return version <= (isEvent ? this.#eventsSince : this.#rosterSince);
  }

  #note({ version, isEvent, position }: News): void {
    if (!isEvent) return;
    this.#eventsSince = version;
    this.#position = position;
  }
}
