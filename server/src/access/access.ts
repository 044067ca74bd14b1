import type { Counters, Seat } from '../adapter/adapter.ts';
import type { Revocation } from '../adapter/revocations.ts';
import type { App } from '../apps/app.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Claims } from './claims.ts';
import { Deadline, DeadlineQueue } from './deadline-queue.ts';
import { type Grant, grantExpired, userOf, whyInvalid } from './grant.ts';
import { PacedReconnects, type Reconnecting } from './paced-reconnects.ts';
import type { EndingRight, Renewer } from './renewer.ts';
import { RevocationBook, revoked } from './revocation-book.ts';
import { isIssuedAfter, type Right } from './right.ts';
import type { Life, Term } from './term.ts';

/** A connection, as far as the age and owner of its rights are concerned. */
export interface Holder extends Pick<Seat, 'socketId'> {
  /** The user that it has signed in as. */
  readonly userId?: string | undefined;
  /** The number of revocations before it was opened, as {@link RevocationBook.count} tells. */
  readonly openedAfter: number;
}

/** What lets connections into channels, and until when. */
export class Access {
  /** What was taken back. */
  readonly revocations: RevocationBook;
  readonly #counters: Counters;
  readonly #now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  readonly #deadlines: DeadlineQueue;
  readonly #reconnects = new PacedReconnects();
  readonly #renewer: Renewer | undefined;
  /** What users have lost, by connection and channel. */
  readonly #lost = new WeakMap<Holder, Map<string, Revocation>>();

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
    this.monotonic = parts.monotonic;
    this.#renewer = parts.renewer;
    this.#deadlines = new DeadlineQueue(parts.monotonic);
    this.revocations = new RevocationBook(parts.monotonic);
  }

  /**
   * Refuses a grant that is accepted once and was used before. For any other there is nothing to wait for.
   *
   * @throws SubscriptionRefusal
   * @throws Unavailable if the adapter is unavailable
   */
  checkUnused(app: App, { claims }: Grant): Promise<void> | undefined {
    return claims?.once ? this.#countUse(app, claims, 0) : undefined;
  }

  /**
   * Uses up a grant that is accepted once. All nodes see it until the grant expires.
   *
   * @throws SubscriptionRefusal if it was used before
   * @throws Unavailable if the adapter is unavailable
   */
  use(app: App, { claims }: Grant): Promise<void> | undefined {
    return claims?.once ? this.#countUse(app, claims, 1) : undefined;
  }

  /**
   * Checks whether a grant may be accepted now: between this and its acceptance nothing may be awaited.
   *
   * @throws SubscriptionRefusal if it was taken back or blocked, its key was removed or revoked, or it has expired
   * @throws Unavailable if it is not known what was taken back
   */
  checkValid(app: App, channel: string, holder: Holder, grant: Grant): void {
    const invalid = whyInvalid(grant, app);
    if (invalid) throw invalid;
    if (isPast(grant.claims?.expiresAt, this.#now())) throw grantExpired();
    const right = rightOf(app, channel, holder, grant);
    this.revocations.check(right);
    const revocation = this.#lost.get(holder)?.get(channel);
    if (revocation && !isIssuedAfter(right.issuedAt, revocation)) throw revoked(revocation);
  }

  /** A user has lost a channel on a connection, which does not get in again as another user or as nobody by an older right. */
  lose(holder: Holder, channel: string, revocation: Revocation): void {
    const lost = this.#lost.get(holder) ?? new Map<string, Revocation>();
    this.#lost.set(holder, lost.set(channel, revocation));
  }

  /**
   * Checks whether a sign-in may be accepted now: between this and its acceptance nothing may be awaited.
   *
   * @throws SubscriptionRefusal if it was taken back or blocked
   * @throws Unavailable if it is not known what was taken back
   */
  checkSignIn(
    app: App,
    { socketId, openedAfter }: Holder,
    { id: userId, key, claims, token }: Pick<Grant, 'key' | 'claims' | 'token'> & { readonly id: string },
  ): void {
    this.revocations.check({
      appId: app.id,
      channel: undefined,
      userId,
      socketId,
      grantId: claims?.id,
      key: key?.name,
      issuedAt: token?.issuedAt ?? claims?.issuedAt,
      openedAfter,
      isByToken: token !== undefined,
    });
  }

  /** The life of a right that begins now; `undefined` if it has no end. */
  lifeFrom(expiresAt: number | undefined, maxSeconds: number | null): Life | undefined {
    if (expiresAt === undefined && maxSeconds === null) return undefined;
    const now = this.#now();
    const startedAt = Math.floor(this.monotonic());
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

  /** Closes a connection when its turn comes, which begins at a random moment within some milliseconds. */
  reconnectWithin(spreadMs: number, connection: Reconnecting): void {
    if (spreadMs === 0) return this.reconnect(connection);
    const turn = new ReconnectTurn(() => this.reconnect(connection));
    this.#deadlines.set(turn, this.monotonic() + Math.random() * spreadMs);
  }

  /** Unix time in whole seconds. */
  get seconds(): number {
    return Math.floor(this.#now() / 1000);
  }

  /** Ends all timers. */
  close(): void {
    this.#deadlines.close();
    this.#reconnects.close();
  }

  /** @param by 1: uses it; 0: only looks whether it was used */
  async #countUse(app: App, { id, expiresAt = 0 }: Claims, by: 0 | 1): Promise<void> {
    // Until after its end: a node whose clock is a little late must not accept it again.
    const windowMs = Math.max(0, expiresAt * 1000 - this.#now()) + REMEMBERED_LONGER_MS;
    const { hits } = await this.#counters.hit(
      `grant:${app.id}:${id}`,
      Math.min(Math.ceil(windowMs), LONGEST_MS),
      by,
    );
    if (hits > by) throw used();
  }
}

/** The moment from which a connection may close. */
class ReconnectTurn extends Deadline {
  constructor(private readonly begin: () => void) {
    super();
  }

  override meet(): undefined {
    this.begin();
  }
}

/** A grant, as revocations see it: whose it is, and how old. */
export function rightOf(app: App, channel: string, holder: Holder, grant: Grant): Right {
  return {
    appId: app.id,
    channel,
    userId: userOf(grant) ?? holder.userId,
    socketId: holder.socketId,
    grantId: grant.claims?.id,
    key: grant.key?.name,
    issuedAt: grant.claims?.issuedAt ?? grant.token?.issuedAt,
    openedAfter: holder.openedAfter,
    isByToken: grant.token !== undefined,
  };
}

/** Clocks of nodes may differ by this. */
const REMEMBERED_LONGER_MS = 60_000;
/** Some 30 years. */
const LONGEST_MS = 2 ** 40;

function isPast(expiresAt: number | undefined, now: number): boolean {
  return expiresAt !== undefined && expiresAt * 1000 <= now;
}

function used(): SubscriptionRefusal {
  const why = 'The grant was used before';
  return new SubscriptionRefusal('AuthError', 401, 'grant_used', why, undefined, { claim: 'once' });
}
