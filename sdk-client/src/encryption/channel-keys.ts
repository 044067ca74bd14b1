import type { ChannelGrant } from '../auth/grants.ts';
import { open, readKey } from './cipher.ts';

interface Key {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** In ms, by the client's monotonic clock. */
  readonly expiresAt: number;
}

/** How long an earlier key still opens events, in ms: while servers are replaced, some still encrypt with it. */
const OVERLAP = 3_600_000;
const MAX_KEYS = 8;

/** The keys that decrypt the events of one encrypted channel, newest first. */
export class ChannelKeys {
  #keys: readonly Key[] = [];

  /** Adds the keys of a grant; earlier keys expire. @returns false, without a change, unless each key is base64 of 32 bytes */
  take({ shared_secret: secret, additional_shared_secrets: additional }: ChannelGrant, now: number): boolean {
    const granted: Key[] = [];
    // The app's response can be anything; a nested list becomes text that is not a key.
    for (const each of [secret].concat(additional ?? [])) {
      const bytes = readKey(each);
      if (!bytes) return false;
      granted.push({ text: String(bytes), bytes, expiresAt: Infinity });
    }
    const earlier = this.#keys
      .filter(({ text, expiresAt }) => expiresAt > now && !granted.some((key) => key.text === text))
      .map((key) => ({ ...key, expiresAt: Math.min(key.expiresAt, now + OVERLAP) }));
    this.#keys = [...granted, ...earlier].slice(0, MAX_KEYS);
    return true;
  }

  /** Differs whenever the set of keys differs. */
  get fingerprint(): string {
    return this.#keys
      .map(({ text }) => text)
      .sort()
      .join();
  }

  /** Returns the decrypted text; null if another key encrypted it, `undefined` if the data is not encrypted. */
  open(sealed: Readonly<Record<string, unknown>>, now: number): string | null | undefined {
    for (const { bytes, expiresAt } of this.#keys) {
      const text = expiresAt > now ? open(sealed, bytes) : null;
      if (text !== null) return text;
    }
    return null;
  }
}
