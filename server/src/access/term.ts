import { Deadline } from './deadline-queue.ts';

/** From when until when a right holds. */
export interface Life {
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  /** Monotonic milliseconds. */
  readonly endsAt: number;
  /** Unix seconds of the end, rounded up. */
  readonly expiresAt: number;
}

/** Announcements come between 75 and 85 percent of a life. */
const ANNOUNCED_BEFORE_END = { least: 0.15, spread: 0.1 };
/** Reconnects are spread over the last tenth of a life, and over no more than this. */
const RECONNECT_PART = 0.1;
const RECONNECT_SPREAD_MS = 60_000;
/** From this life on, announcements fall on whole seconds, so that a client renews its grants together. */
const WHOLE_SECONDS_FROM_MS = 20_000;

/** How far a term has come. */
type State = 'running' | 'announced' | 'asked' | 'reconnecting' | 'ended' | 'cancelled';

/** When the backend is asked to renew a right. */
export interface RenewalTimes {
  /** Milliseconds before the end from which it is asked. */
  readonly leadMs: number;
  /** Milliseconds after the end until which the right lives if there is no answer. */
  readonly graceMs: number;
}

/** The life of a right that has an end: announces the end, and brings it about. */
export abstract class Term extends Deadline {
  readonly startedAt: number;
  readonly endsAt: number;
  readonly expiresAt: number;
  #state: State = 'running';

  constructor({ startedAt, endsAt, expiresAt }: Life) {
    super();
    this.startedAt = startedAt;
    this.endsAt = endsAt;
    this.expiresAt = expiresAt;
  }

  /** The connection that has the right. */
  protected abstract get socketId(): string;
  /** Whether the client is told before the end. */
  protected abstract get isAnnounced(): boolean;
  /** Whether the connection closes instead of losing the right. */
  protected abstract get reconnects(): boolean;
  /** The right was given up, or has another term now. */
  abstract stop(): void;
  /** Closes the connection, so that its client comes back and proves its rights again. */
  abstract close(): void;
  /** Tells the client that the end is near. */
  protected abstract announce(): void;
  /** `undefined`: the backend is not asked to renew it. */
  protected abstract get renewal(): RenewalTimes | undefined;
  /** Lets the backend be asked until it is over. */
  protected abstract askBackend(): void;
  /** Lets the connection close soon. */
  protected abstract reconnect(): void;
  /** Takes the right away. */
  protected abstract end(): void;

  /** Nothing happens any more, except the close of a connection that has lost the right already. */
  cancel(): void {
    if (this.#state !== 'ended') this.#state = 'cancelled';
  }

  get isCancelled(): boolean {
    return this.#state === 'cancelled';
  }

  /** The moment of what happens next. */
  get nextMoment(): number {
    if (this.#state === 'running' && this.isAnnounced) return this.#announcedAt;
    if (this.renewal) return this.#state === 'asked' ? this.askedUntil : this.#askedAt(this.renewal);
    return this.#state !== 'reconnecting' && this.reconnects ? this.#reconnectsAt : this.endsAt;
  }

  /** Until when the backend is asked: the end, and the time after it for which it may be silent. */
  get askedUntil(): number {
    return this.endsAt + (this.renewal?.graceMs ?? 0);
  }

  /** Whether the right was replaced, given up or taken away. */
  get isOver(): boolean {
    return this.#state === 'cancelled' || this.#state === 'ended';
  }

  override meet(now: number): number | undefined {
    if (now >= (this.#state === 'asked' ? this.askedUntil : this.endsAt)) {
      const isQueued = this.#state === 'reconnecting';
      this.#state = 'ended';
      this.end();
      if (this.reconnects && !isQueued) this.reconnect();
      return undefined;
    }
    if (this.#state === 'running' && this.isAnnounced && now >= this.#announcedAt) {
      this.#state = 'announced';
      this.announce();
    } else if (this.renewal) {
      if (this.#state !== 'asked' && now >= this.#askedAt(this.renewal)) {
        this.#state = 'asked';
        this.askBackend();
      }
    } else if (this.#state !== 'reconnecting' && this.reconnects && now >= this.#reconnectsAt) {
      this.#state = 'reconnecting';
      this.reconnect();
    }
    return this.nextMoment;
  }

  get #announcedAt(): number {
    const { least, spread } = ANNOUNCED_BEFORE_END;
    const life = this.endsAt - this.startedAt;
    const at = Math.ceil(this.endsAt - life * (least + spread * this.#chance));
    return life < WHOLE_SECONDS_FROM_MS ? at : Math.ceil(at / 1000) * 1000;
  }

  /** A client that was told has had the time to renew by itself. */
  #askedAt({ leadMs }: RenewalTimes): number {
    const { startedAt, endsAt } = this;
    return this.isAnnounced
      ? Math.max(endsAt - leadMs / 2, (this.#announcedAt + endsAt) / 2)
      : Math.max(endsAt - leadMs, (startedAt + endsAt) / 2);
  }

  get #reconnectsAt(): number {
    const life = this.endsAt - this.startedAt;
    return Math.ceil(this.endsAt - Math.min(life * RECONNECT_PART, RECONNECT_SPREAD_MS) * this.#chance);
  }

  /** One number for each connection and second of expiry, so that what ends together is renewed together. */
  get #chance(): number {
    return fractionOf(this.socketId, this.expiresAt);
  }
}

/** A number from 0 to 1, spread evenly over texts and seeds. */
export function fractionOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
