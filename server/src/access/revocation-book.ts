/** Which rights were taken back, as this process knows it: the answer to one question, asked wherever a right is accepted. */
import { keptUntil, type Revocation } from '../adapter/revocations.ts';
import { SubscriptionRefusal, Unavailable } from '../errors.ts';
import { indexOf, indicesOf, isIssuedAfter, isTarget, type Right } from './right.ts';

interface Entry {
  readonly revocation: Revocation;
  /** Connections that were opened after fewer revocations are older. */
  readonly number: number;
  /** By the monotonic clock. Older rights do not count until it is swept away, and old connections with it. */
  readonly outlawsUntil: number;
  isOutlawing: boolean;
  /** By the monotonic clock. */
  readonly blocksUntil: number;
  /** What the monotonic clock is ahead of the clock of the revocation. */
  readonly offset: number;
}

/** The revocations of one app by the rarest thing that their targets name, so that few are compared with a right. */
type Entries = Map<string, Map<string, Entry>>;

/** The revocations that are kept, without those of other processes that have not arrived yet. */
export class RevocationBook {
  readonly #monotonic: () => number;
  readonly #apps = new Map<string, Entries>();
  /** Revocations so far. */
  #count = 0;
  /** Whether some may be missing. */
  isIncomplete = false;

  /** @param monotonic milliseconds */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** The number of revocations so far, which tells the age of a connection by no clock. */
  get count(): number {
    return this.#count;
  }

  /** Whether it knows a revocation; one of the same kind that was made at another time has the same id. */
  has(revocation: Revocation): boolean {
    return this.#entryOf(revocation)?.revocation.at === revocation.at;
  }

  /**
   * From now on older rights of its target do not count.
   *
   * @param now the present by the clock that has dated it, in Unix milliseconds
   */
  add(revocation: Revocation, now: number): void {
    this.#count += 1;
    if (keptUntil(revocation) === 0) return;
    this.#put(revocation, this.#count, this.#monotonic() - now);
  }

  /** Lets a blocked target in again. What is older than the revocation still does not count. */
  lift(appId: string, id: string): void {
    const entry = this.#find(appId, id);
    if (!entry) return;
    this.#delete(entry.revocation);
    const lifted = { ...entry.revocation, blockedUntil: undefined };
    if (keptUntil(lifted) > 0) this.#put(lifted, entry.number, entry.offset);
  }

  /** Takes over another version of a revocation that it has, which is as old as before. */
  replace(revocation: Revocation): void {
    const entry = this.#entryOf(revocation);
    if (entry) this.#put(revocation, entry.number, entry.offset);
  }

  forget(id: string): void {
    for (const { revocation } of this.#entries()) if (revocation.id === id) this.#delete(revocation);
  }

  ids(): readonly string[] {
    return this.#entries().map(({ revocation }) => revocation.id);
  }

  /** A revocation that is in force. */
  find(appId: string, id: string): Revocation | undefined {
    return this.#find(appId, id)?.revocation;
  }

  /** Whether a user may not sign in to an app. */
  isBlocked(appId: string, userId: string): boolean {
    const entries = this.#apps.get(appId)?.get(`user:${userId}`)?.values() ?? [];
    return [...entries].some(
      ({ revocation, blocksUntil }) => blocksUntil > this.#monotonic() && concernsSignIns(revocation),
    );
  }

  /** The revocations of an app that are in force, oldest first. */
  list(appId: string): readonly Revocation[] {
    const buckets = [...(this.#apps.get(appId)?.values() ?? [])];
    return buckets
      .flatMap((bucket) => [...bucket.values()])
      .filter((entry) => this.#isKept(entry))
      .map(({ revocation }) => revocation)
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }

  /**
   * Whether a right is accepted.
   *
   * @throws SubscriptionRefusal if it was taken back
   * @throws Unavailable if that is not known
   */
  check(right: Right): void {
    if (this.isIncomplete) throw new Unavailable('What was revoked is not known yet');
    const entries = this.#apps.get(right.appId);
    if (!entries) return;
    let outlawing: Revocation | undefined;
    for (const index of indicesOf(right)) {
      for (const entry of entries.get(index)?.values() ?? []) {
        if (entry.revocation.exceptSocketId === right.socketId || !isTarget(entry.revocation, right))
          continue;
        // It says more than that the right is old: a newer one would not help.
        if (this.#isBlocking(entry, right))
          throw new SubscriptionRefusal('AuthError', 403, 'blocked', entry.revocation.reason);
        if (isOutlawed(right, entry)) outlawing ??= entry.revocation;
      }
    }
    if (outlawing) throw revoked(outlawing);
  }

  /**
   * Forgets what is over.
   *
   * @returns by app, the number of the newest revocation that no longer tells which rights are older
   */
  sweep(): ReadonlyMap<string, number> {
    const now = this.#monotonic();
    const forgotten = new Map<string, number>();
    for (const entry of this.#entries()) {
      const { revocation, number, outlawsUntil, blocksUntil } = entry;
      if (outlawsUntil > now) continue;
      if (entry.isOutlawing) {
        entry.isOutlawing = false;
        forgotten.set(revocation.appId, Math.max(number, forgotten.get(revocation.appId) ?? 0));
      }
      if (blocksUntil <= now) this.#delete(revocation);
    }
    return forgotten;
  }

  #entryOf({ appId, id, target }: Revocation): Entry | undefined {
    return this.#apps.get(appId)?.get(indexOf(target))?.get(id);
  }

  #find(appId: string, id: string): Entry | undefined {
    for (const bucket of this.#apps.get(appId)?.values() ?? []) {
      const entry = bucket.get(id);
      if (entry && this.#isKept(entry)) return entry;
    }
    return undefined;
  }

  #isBlocking({ revocation, blocksUntil }: Entry, { channel }: Right): boolean {
    return blocksUntil > this.#monotonic() && (channel !== undefined || concernsSignIns(revocation));
  }

  #put(revocation: Revocation, number: number, offset: number): void {
    const { appId, id, target, outlawsUntil = -Infinity, blockedUntil = -Infinity } = revocation;
    const entries: Entries = this.#apps.get(appId) ?? new Map();
    this.#apps.set(appId, entries);
    const index = indexOf(target);
    const bucket = entries.get(index) ?? new Map<string, Entry>();
    entries.set(index, bucket);
    bucket.set(id, {
      revocation,
      number,
      outlawsUntil: outlawsUntil + offset,
      isOutlawing: revocation.outlawsUntil !== undefined,
      blocksUntil: blockedUntil + offset,
      offset,
    });
  }

  #delete({ appId, id, target }: Revocation): void {
    const entries = this.#apps.get(appId);
    const bucket = entries?.get(indexOf(target));
    if (!entries || !bucket?.delete(id)) return;
    if (bucket.size === 0) entries.delete(indexOf(target));
    if (entries.size === 0) this.#apps.delete(appId);
  }

  #isKept({ outlawsUntil, blocksUntil }: Entry): boolean {
    return Math.max(outlawsUntil, blocksUntil) > this.#monotonic();
  }

  #entries(): Entry[] {
    return [...this.#apps.values()].flatMap((entries) =>
      [...entries.values()].flatMap((bucket) => [...bucket.values()]),
    );
  }
}

/** Why a right ends, or is refused, that was taken back. */
export function revoked({ reason }: Revocation): SubscriptionRefusal {
  return new SubscriptionRefusal('AuthError', 403, 'grant_revoked', reason);
}

/** Sign-ins are those of a user, in no channel. */
function concernsSignIns({ target: { userId, channel, channelPrefix } }: Revocation): boolean {
  return userId !== undefined && channel === undefined && channelPrefix === undefined;
}

function isOutlawed(right: Right, entry: Entry): boolean {
  if (!entry.isOutlawing || !isOlder(right, entry)) return false;
  return right.channel !== undefined || entry.revocation.action === 'disconnect' || right.isByToken;
}

function isOlder({ issuedAt, openedAfter }: Right, { revocation, number }: Entry): boolean {
  return issuedAt === undefined ? openedAfter < number : !isIssuedAfter(issuedAt, revocation);
}
