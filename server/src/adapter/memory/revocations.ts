import { setTimeout as delay } from 'node:timers/promises';
import {
  keptUntil,
  type Revocation,
  type RevocationBounds,
  type RevocationPage,
  type Revocations,
  revocationBytes,
} from '../revocations.ts';

/** Persists revocations beyond the end of the process. */
export interface RevocationStore {
  /** Those that were kept when the store was opened. */
  readonly standing: Iterable<Revocation>;
  save(revocation: Revocation): Promise<void>;
  forget(appId: string, id: string): Promise<void>;
}

/** Milliseconds for which the answer of a store is awaited. */
const SAVE_MS = 2000;
const PAGE_SIZE = 1000;

interface Clocks {
  /** Wall-clock time in Unix milliseconds, in which ends are stored and reported. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

interface Kept {
  readonly revocation: Revocation;
  /** By the monotonic clock. */
  readonly endsAt: number;
  readonly bytes: number;
}

/** What the revocations of an app take, including those that are over and not forgotten yet. */
interface Taken {
  count: number;
  bytes: number;
}

/** The revocations of all apps, in this process and in a store if there is one. */
export class MemoryRevocations implements Revocations {
  readonly #clocks: Clocks;
  readonly #store: RevocationStore | undefined;
  readonly #kept = new Map<string, Kept>();
  readonly #taken = new Map<string, Taken>();
  /** None ends before this time, by the monotonic clock. */
  #firstEnd = Infinity;
  /** Those that the store does not have, each with the attempt to save it. */
  readonly #unsaved = new Map<string, { readonly revocation: Revocation; attempt: Promise<void> }>();

  constructor(clocks: Clocks, store?: RevocationStore) {
    this.#clocks = clocks;
    this.#store = store;
    for (const revocation of store?.standing ?? []) this.#put(revocation);
  }

  async now(): Promise<number> {
    return this.#clocks.now();
  }

  async keep(revocation: Revocation, bounds: RevocationBounds): Promise<boolean> {
    if (!this.#hasRoom(revocation, bounds)) {
      if (this.#firstEnd > this.#clocks.monotonic()) return false;
      this.#forgetEnded();
      if (!this.#hasRoom(revocation, bounds)) return false;
    }
    this.#put(revocation);
    if (this.#store) this.#save(revocation, this.#store);
    return true;
  }

  async forget(appId: string, id: string): Promise<void> {
    this.#delete(keyOf(appId, id));
    this.#unsaved.delete(keyOf(appId, id));
    await this.#store?.forget(appId, id);
  }

  async isPersisted(appId: string, id: string): Promise<boolean> {
    const key = keyOf(appId, id);
    const ending = new AbortController();
    const tooLate = delay(SAVE_MS, undefined, { signal: ending.signal }).catch(() => {});
    await Promise.race([this.#unsaved.get(key)?.attempt, tooLate]);
    ending.abort();
    return !this.#unsaved.has(key);
  }

  async page(cursor?: string): Promise<RevocationPage> {
    this.#forgetEnded();
    const now = this.#clocks.now();
    const from = Number(cursor ?? 0);
    const revocations = [...this.#kept.values()]
      .slice(from, from + PAGE_SIZE)
      .map(({ revocation }) => revocation);
    return revocations.length < PAGE_SIZE
      ? { revocations, now }
      : { revocations, now, cursor: String(from + PAGE_SIZE) };
  }

  /** Forgets those of an app, of which the store forgets its own. */
  forgetApp(appId: string): void {
    for (const [key, { revocation }] of this.#kept) {
      if (revocation.appId !== appId) continue;
      this.#delete(key);
      this.#unsaved.delete(key);
    }
  }

  /** Forgets those that are over, and retries to save those that could not be saved. */
  sweep(): void {
    this.#forgetEnded();
    for (const [key, { revocation }] of this.#unsaved) {
      if (this.#store && this.#kept.get(key)?.revocation === revocation) this.#save(revocation, this.#store);
      else this.#unsaved.delete(key);
    }
  }

  /** It holds meanwhile; the store reports its own failures. */
  #save(revocation: Revocation, store: RevocationStore): void {
    const key = keyOf(revocation.appId, revocation.id);
    const saved = () => {
      if (this.#unsaved.get(key)?.revocation === revocation) this.#unsaved.delete(key);
    };
    const attempt = store.save(revocation).then(saved, () => {});
    this.#unsaved.set(key, { revocation, attempt });
  }

  #hasRoom(revocation: Revocation, bounds: RevocationBounds): boolean {
    const taken = this.#taken.get(revocation.appId) ?? { count: 0, bytes: 0 };
    const before = this.#kept.get(keyOf(revocation.appId, revocation.id));
    const count = taken.count + (before ? 0 : 1);
    const bytes = taken.bytes - (before?.bytes ?? 0) + revocationBytes(revocation);
    return count <= bounds.count && bytes <= bounds.bytes;
  }

  /** A later change of the wall clock neither shortens nor extends it. */
  #put(revocation: Revocation): void {
    const { now, monotonic } = this.#clocks;
    const key = keyOf(revocation.appId, revocation.id);
    this.#delete(key);
    const endsAt = monotonic() + (keptUntil(revocation) - now());
    const kept = { revocation, endsAt, bytes: revocationBytes(revocation) };
    const taken = this.#taken.get(revocation.appId) ?? { count: 0, bytes: 0 };
    taken.count += 1;
    taken.bytes += kept.bytes;
    this.#taken.set(revocation.appId, taken);
    this.#kept.set(key, kept);
    this.#firstEnd = Math.min(this.#firstEnd, endsAt);
  }

  #delete(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    const { appId } = kept.revocation;
    const taken = this.#taken.get(appId);
    if (!taken) return;
    taken.count -= 1;
    taken.bytes -= kept.bytes;
    if (taken.count === 0) this.#taken.delete(appId);
  }

  #forgetEnded(): void {
    const now = this.#clocks.monotonic();
    if (this.#firstEnd > now) return;
    this.#firstEnd = Infinity;
    for (const [key, { endsAt }] of this.#kept) {
      if (endsAt <= now) this.#delete(key);
      else this.#firstEnd = Math.min(this.#firstEnd, endsAt);
    }
  }
}

/** An app id contains no colon. */
function keyOf(appId: string, id: string): string {
  return `${appId}:${id}`;
}
