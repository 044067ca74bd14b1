/** Which rights were taken back, as this process knows it: the answer to one question, asked wherever a right is accepted. */
import { keptUntil, type Revocation } from '../adapter/revocations.ts';
import { SubscriptionRefusal, Unavailable } from '../errors.ts';

/** A right that a connection has, or asks for. */
export interface Right {
  readonly appId: string;
  /** `undefined`: to be a user. */
  readonly channel: string | undefined;
  readonly userId: string | undefined;
  readonly socketId: string;
  readonly grantId: string | undefined;
  /** The name of the key that signed it. */
  readonly key: string | undefined;
  /** Unix seconds, if it says so; else it is as old as its connection. */
  readonly issuedAt: number | undefined;
  /** The number of revocations that the process knew of when the connection was opened. */
  readonly openedAfter: number;
  /** Whether it stands in a token. */
  readonly isByToken: boolean;
}

interface Entry {
  readonly revocation: Revocation;
  /** Connections that were opened after fewer revocations are older. */
  readonly number: number;
  /** By the monotonic clock. Older rights do not count until it is swept away, and old connections with it. */
  readonly outlawsUntil: number;
  isOutlawing: boolean;
  /** By the monotonic clock. */
  readonly blocksUntil: number;
}

/** The revocations of one app by the rarest thing that their targets name, so that few are compared with a right. */
type Entries = Map<string, Map<string, Entry>>;

/** The revocations that are kept, without those of other processes that have not arrived yet. */
export class RevocationBook {
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #apps = new Map<string, Entries>();
  /** Revocations so far. */
  #count = 0;
  /** Whether some may be missing. */
  isIncomplete = false;

  /**
   * @param now Unix milliseconds
   * @param monotonic milliseconds
   */
  constructor(now: () => number, monotonic: () => number) {
    this.#now = now;
    this.#monotonic = monotonic;
  }

  /** The number of revocations so far, which tells the age of a connection by no clock. */
  get count(): number {
    return this.#count;
  }

  has({ appId, id, target }: Revocation): boolean {
    return this.#apps.get(appId)?.get(indexOf(target))?.has(id) === true;
  }

  /** From now on older rights of its target do not count. */
  add(revocation: Revocation): void {
    this.#count += 1;
    if (keptUntil(revocation) > 0) this.#put(revocation, this.#count);
  }

  /** Lets a blocked target in again. What is older than the revocation still does not count. */
  lift(appId: string, id: string): void {
    const entry = this.#find(appId, id);
    if (!entry) return;
    this.#delete(entry.revocation);
    const lifted = { ...entry.revocation, blockedUntil: undefined };
    if (keptUntil(lifted) > 0) this.#put(lifted, entry.number);
  }

  /** Takes over another version of a revocation, which is as old as before. */
  replace(revocation: Revocation): void {
    const number = this.#find(revocation.appId, revocation.id)?.number ?? this.#count;
    this.#delete(revocation);
    this.#put(revocation, number);
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
    for (const index of indicesOf(right)) {
      for (const entry of entries.get(index)?.values() ?? []) this.#checkEntry(entry, right);
    }
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

  #find(appId: string, id: string): Entry | undefined {
    for (const bucket of this.#apps.get(appId)?.values() ?? []) {
      const entry = bucket.get(id);
      if (entry && this.#isKept(entry)) return entry;
    }
    return undefined;
  }

  #checkEntry(entry: Entry, right: Right): void {
    const { revocation, blocksUntil, isOutlawing } = entry;
    if (revocation.exceptSocketId === right.socketId || !isTarget(revocation, right)) return;
    if (blocksUntil > this.#monotonic() && (right.channel !== undefined || concernsSignIns(revocation))) {
      throw new SubscriptionRefusal('AuthError', 403, 'blocked', revocation.reason);
    }
    if (!isOutlawing || !isOlder(right, entry)) return;
    if (right.channel === undefined && revocation.action !== 'disconnect' && !right.isByToken) return;
    throw revoked(revocation);
  }

  #put(revocation: Revocation, number: number): void {
    const offset = this.#monotonic() - this.#now();
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

/** Whether a right is one of those that a revocation names, leaving aside whom it excepts. */
export function isTarget({ target }: Revocation, right: Right): boolean {
  const { userId, channel, channelPrefix, socketId, grantId, key } = target;
  return (
    (userId === undefined || userId === right.userId) &&
    (channel === undefined || channel === right.channel) &&
    (channelPrefix === undefined || right.channel?.startsWith(channelPrefix) === true) &&
    (socketId === undefined || socketId === right.socketId) &&
    (grantId === undefined || grantId === right.grantId) &&
    (key === undefined || key === right.key)
  );
}

/** Sign-ins are those of a user, in no channel. */
function concernsSignIns({ target: { userId, channel, channelPrefix } }: Revocation): boolean {
  return userId !== undefined && channel === undefined && channelPrefix === undefined;
}

function isOlder({ issuedAt, openedAfter }: Right, { revocation, number }: Entry): boolean {
  return issuedAt === undefined ? openedAfter < number : !isIssuedAfter(issuedAt, revocation);
}

/** A time of issue has whole seconds, so one in the second of the revocation may be before it. */
export function isIssuedAfter(issuedAt: number | undefined, { at }: Revocation): boolean {
  return issuedAt !== undefined && issuedAt > Math.floor(at / 1000);
}

const ANY = '';

function indexOf({ userId, socketId, grantId, channel }: Revocation['target']): string {
  if (userId !== undefined) return `user:${userId}`;
  if (socketId !== undefined) return `socket:${socketId}`;
  if (grantId !== undefined) return `grant:${grantId}`;
  return channel === undefined ? ANY : `channel:${channel}`;
}

/** Where the revocations are that may concern a right. */
function* indicesOf({ userId, socketId, grantId, channel }: Right): Iterable<string> {
  if (userId !== undefined) yield `user:${userId}`;
  yield `socket:${socketId}`;
  if (grantId !== undefined) yield `grant:${grantId}`;
  if (channel !== undefined) yield `channel:${channel}`;
  yield ANY;
}
