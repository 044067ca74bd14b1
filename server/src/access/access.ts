import type { Counters } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Claims } from './claims.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { type Grant, grantExpired, whyInvalid } from './grant.ts';
import { PacedReconnects, type Reconnecting } from './paced-reconnects.ts';
import type { EndingRight, Renewer } from './renewer.ts';
import type { Life, Term } from './term.ts';

/** What lets connections into channels, and until when. */
export class Access {
  readonly #counters: Counters;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #deadlines: DeadlineQueue;
  readonly #reconnects = new PacedReconnects();
  readonly #renewer: Renewer | undefined;

  constructor(parts: {
    /** Count the uses of grants that are accepted once. */
    readonly counters: Counters;
    /** Unix milliseconds. */
    readonly now: () => number;
    /** Monotonic milliseconds. */
    readonly monotonic: () => number;
    /** Asks backends; without it none is asked. */
    readonly renewer?: Renewer | undefined;
  }) {
    this.#counters = parts.counters;
    this.#now = parts.now;
    this.#monotonic = parts.monotonic;
    this.#renewer = parts.renewer;
    this.#deadlines = new DeadlineQueue(parts.monotonic);
  }

  /**
   * Refuses a grant that is accepted once and was used before.
   *
   * @throws SubscriptionRefusal
   * @throws Unavailable if the adapter is unavailable
   */
  async checkUnused(app: App, grant: Grant): Promise<void> {
    if (grant.claims?.once && (await this.#countUse(app, grant.claims, 0)) > 0) throw used();
  }

  /**
   * Uses up a grant that is accepted once. All nodes see it until the grant expires.
   *
   * @throws SubscriptionRefusal if it was used before
   * @throws Unavailable if the adapter is unavailable
   */
  async use(app: App, grant: Grant): Promise<void> {
    if (grant.claims?.once && (await this.#countUse(app, grant.claims, 1)) > 1) throw used();
  }

  /** @throws SubscriptionRefusal if its key was removed or revoked, or it has expired, since it was verified */
  checkValid(app: App, grant: Grant): void {
    const invalid = whyInvalid(grant, app);
    if (invalid) throw invalid;
    if (isPast(grant.claims?.expiresAt, this.#now())) throw grantExpired();
  }

  /** The life of a right that begins now; `undefined` if it has no end. */
  lifeFrom(expiresAt: number | undefined, maxSeconds: number | null): Life | undefined {
    if (expiresAt === undefined && maxSeconds === null) return undefined;
    const now = this.#now();
    const startedAt = Math.floor(this.#monotonic());
    const end = Math.min((expiresAt ?? Infinity) * 1000, now + (maxSeconds ?? Infinity) * 1000);
    return { startedAt, endsAt: Math.ceil(startedAt + end - now), expiresAt: Math.ceil(end / 1000) };
  }

  /** From now on the right ends with its term. */
  begin(term: Term): void {
    this.#deadlines.set(term, term.nextMoment);
  }

  /** The right no longer ends with this term. */
  cancel(term: Term): void {
    term.cancel();
    this.#deadlines.delete(term);
  }

  /** Asks the backend to renew a right. */
  askBackend(right: EndingRight): void {
    this.#renewer?.ask(right);
  }

  /** Closes a connection when its turn comes. */
  reconnect(connection: Reconnecting): void {
    this.#reconnects.add(connection);
  }

  /** Ends all timers. */
  close(): void {
    this.#deadlines.close();
    this.#reconnects.close();
  }

  async #countUse(app: App, { id, expiresAt = 0 }: Claims, by: 0 | 1): Promise<number> {
    // Until after its end: a node whose clock is a little late must not accept it again.
    const windowMs = Math.max(0, expiresAt * 1000 - this.#now()) + REMEMBERED_LONGER_MS;
    const { hits } = await this.#counters.hit(
      `grant:${app.id}:${id}`,
      Math.min(Math.ceil(windowMs), LONGEST_MS),
      by,
    );
    return hits;
  }
}

/** Clocks of nodes may differ by this. */
const REMEMBERED_LONGER_MS = 60_000;
/** Some 30 years. */
const LONGEST_MS = 2 ** 40;

function isPast(expiresAt: number | undefined, now: number): boolean {
  return expiresAt !== undefined && expiresAt * 1000 <= now;
}

function used(): SubscriptionRefusal {
  return new SubscriptionRefusal('AuthError', 401, 'grant_used', 'The grant was used before');
}
