import type { Counters } from '../adapter/adapter.ts';
import type { Limits } from '../apps/app.ts';
import { codes, Disconnect, Refusal } from '../errors.ts';

/** A token bucket: `capacity` at once, refilled by `perSecond`. */
class TokenBucket {
  #tokens: number;
  #updatedAt: number;

  /** @param now monotonic milliseconds */
  constructor(capacity: number, now: number) {
    this.#tokens = capacity;
    this.#updatedAt = now;
  }

  /** Takes one token if there is one. The limits are parameters because a reload may change them. */
  take(capacity: number, perSecond: number, now: number): boolean {
    const refill = (Math.max(0, now - this.#updatedAt) * perSecond) / 1000;
    this.#tokens = Math.min(capacity, this.#tokens + refill);
    this.#updatedAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

// Each rate inherits its bucket instead of holding one: every connection has a frame rate, so one object less counts.

/** The rate of all frames of one connection. */
export class FrameRate extends TokenBucket {
  constructor(limits: Limits, now: number) {
    super(frameBurst(limits), now);
  }

  /** Counts one frame. Returns why the connection must close if that was one too many. */
  count(limits: Limits, now: number): Disconnect | undefined {
    const { framesPerSecond: rate } = limits;
    if (rate === null || this.take(frameBurst(limits), rate, now)) return undefined;
    return new Disconnect(
      codes.overCapacity,
      'too_many_messages',
      `Too many messages: at most ${rate} a second`,
    );
  }
}

/** A page that reconnects subscribes to all of its channels at once. */
function frameBurst({ framesPerSecond, subscriptionsPerConnection }: Limits): number {
  return (framesPerSecond ?? Infinity) + subscriptionsPerConnection;
}

/** The rate of proofs of one connection that the broker refuses. */
export class RefusedProofRate extends TokenBucket {
  constructor(limits: Limits, now: number) {
    super(refusedProofBurst(limits), now);
  }

  /** Counts one refused proof. Returns why the connection must close if that was one too many. */
  count(limits: Limits, now: number): Disconnect | undefined {
    const { refusedProofsPerMinute: rate } = limits;
    if (this.take(refusedProofBurst(limits), rate / 60, now)) return undefined;
    return new Disconnect(
      codes.unauthorized,
      'too_many_refused_proofs',
      `Too many refused proofs: at most ${rate} a minute`,
    );
  }
}

/** A page whose backend signs wrongly is refused once for each of its channels, and so is a page that just reconnected. */
function refusedProofBurst({ refusedProofsPerMinute, subscriptionsPerConnection }: Limits): number {
  return refusedProofsPerMinute + subscriptionsPerConnection;
}

/** The rate of sign-ins of one connection: each is a proof to verify and an answer as long as its data. */
export class SignInRate extends TokenBucket {
  constructor(limits: Limits, now: number) {
    super(limits.signInsPerMinute, now);
  }

  /** Counts one sign-in. Returns why the connection must close if that was one too many. */
  count({ signInsPerMinute: rate }: Limits, now: number): Disconnect | undefined {
    if (this.take(rate, rate / 60, now)) return undefined;
    return new Disconnect(
      codes.overCapacity,
      'too_many_sign_ins',
      `Too many sign-ins: at most ${rate} a minute`,
    );
  }
}

/** The rate of client events of one connection, or of one subscription whose grant has a rate. */
export class ClientEventRate extends TokenBucket {
  /** @param rate events a second, and in one burst; null: no limit */
  constructor(rate: number | null, now: number) {
    super(rate ?? Infinity, now);
  }

  /** Counts one client event. Returns why it is refused if that was one too many. */
  count(rate: number | null, now: number): Refusal | undefined {
    if (rate === null || this.take(rate, rate, now)) return undefined;
    return new Refusal(
      codes.clientEventRate,
      'event_rate',
      `Too many client events: at most ${rate} a second`,
    );
  }
}

const USER_WINDOW_MS = 1000;

/** The rate of client events of each user, counted by all nodes together. */
export class UserEventRate {
  constructor(private readonly counters: Counters) {}

  /**
   * Counts one client event of a user. Resolves to why it is refused if that was one too many.
   *
   * @param rate events in a second
   * @throws Unavailable or InDoubt if it could not be counted
   */
  async count(appId: string, userId: string, rate: number): Promise<Refusal | undefined> {
    const { hits } = await this.counters.hit(`client-events:${appId}:${userId}`, USER_WINDOW_MS);
    if (hits <= rate) return undefined;
    return new Refusal(
      codes.clientEventRate,
      'event_rate',
      `Too many client events of this user: at most ${rate} a second`,
    );
  }
}
