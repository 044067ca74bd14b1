/** The purposes of accepted signatures; `read` stands for all requests that do not publish. */
export const KEY_USES = ['subscribe', 'publish', 'read', 'sign_in'] as const;
export type KeyUse = (typeof KEY_USES)[number];

/** When a key was used last for each purpose, in Unix seconds; what is absent was not. */
export type LastUses = Readonly<Partial<Record<KeyUse, number>>>;
/** The last uses of all keys of an app, by key. */
export type KeyUses = Readonly<Record<string, LastUses>>;

/** Counts of accepted signatures of one key since this process started. */
export interface KeyCounts {
  readonly channels: number;
  readonly users: number;
  readonly requests: number;
  /** The sum of the last hour. */
  readonly lastHour: number;
  /** Unix milliseconds of the last use. */
  readonly lastAt: number;
}

const MINUTES = 60;
const MINUTE_MS = 60_000;

/** Counts the signatures of each key of an app, which shows whether an old key is still in use. */
export class KeyUsage {
  readonly #keys = new Map<string, Ledger>();

  /** @param key a key that the app has, never input */
  count(key: string, use: KeyUse, now: number): void {
    let ledger = this.#keys.get(key);
    if (!ledger) {
      ledger = new Ledger();
      this.#keys.set(key, ledger);
    }
    ledger.count(use, now);
  }

  /** The last uses of each key that was used. */
  get lastUses(): KeyUses {
    return Object.fromEntries(Array.from(this.#keys, ([key, ledger]) => [key, ledger.lastUses]));
  }

  /** `undefined` if the key has not been used. */
  of(key: string, now: number): KeyCounts | undefined {
    return this.#keys.get(key)?.tally(now);
  }
}

class Ledger {
  readonly #totals: Record<KeyUse, number> = { subscribe: 0, publish: 0, read: 0, sign_in: 0 };
  readonly #lastUses: Record<KeyUse, number> = { subscribe: 0, publish: 0, read: 0, sign_in: 0 };
  /** A ring buffer: one count for each of the last minutes. */
  readonly #minutes = new Uint32Array(MINUTES);
  #minute = 0;
  #lastAt = 0;

  count(use: KeyUse, now: number): void {
    const slot = this.#advance(now);
    this.#totals[use] += 1;
    this.#lastUses[use] = now;
    this.#minutes[slot] = (this.#minutes[slot] ?? 0) + 1;
    this.#lastAt = now;
  }

  tally(now: number): KeyCounts {
    this.#advance(now);
    const lastHour = this.#minutes.reduce((sum, count) => sum + count, 0);
    const { subscribe, publish, read, sign_in: users } = this.#totals;
    return { channels: subscribe, users, requests: publish + read, lastHour, lastAt: this.#lastAt };
  }

  get lastUses(): LastUses {
    const used = KEY_USES.filter((use) => this.#lastUses[use] > 0);
    return Object.fromEntries(used.map((use) => [use, Math.floor(this.#lastUses[use] / 1000)]));
  }

  /** Clears the minutes that have passed. Returns the slot of the present one. */
  #advance(now: number): number {
    const minute = Math.floor(now / MINUTE_MS);
    const passed = Math.min(Math.max(minute - this.#minute, 0), MINUTES);
    for (let step = 0; step < passed; step += 1) this.#minutes[(minute - step) % MINUTES] = 0;
    if (passed > 0) this.#minute = minute;
    return this.#minute % MINUTES;
  }
}

/** The later of the uses that two processes have seen. */
export function mergeKeyUses(some: KeyUses, others: KeyUses): KeyUses {
  const merged = new Map<string, LastUses>(Object.entries(some));
  for (const [key, uses] of Object.entries(others)) {
    const before = merged.get(key) ?? {};
    const known = KEY_USES.flatMap((use) => {
      const at = Math.max(before[use] ?? 0, uses[use] ?? 0);
      return at > 0 ? [[use, at] as const] : [];
    });
    merged.set(key, Object.fromEntries(known));
  }
  return Object.fromEntries(merged);
}
