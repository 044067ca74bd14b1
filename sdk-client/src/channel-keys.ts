import type { ChannelGrant } from './auth.ts';
import type { KeyRing } from './encrypted-channel.ts';

/** How a key is read from base64, and how it opens what was sealed; null if it was sealed by another one. */
export interface Cipher {
  readKey(secret: unknown): Uint8Array | undefined;
  open(sealed: Readonly<Record<string, unknown>>, key: Uint8Array): string | null | undefined;
}

interface Key {
  readonly text: string;
  readonly bytes: Uint8Array;
  /** On the clock of the client. */
  readonly expiresAt: number;
}

/** While servers are replaced one by one, some still seal with a key that others no longer grant: ms that it opens. */
const OVERLAP = 3_600_000;
const MAX_KEYS = 8;

/** The keys that open the events of one encrypted channel, the newest first. */
export class ChannelKeys implements KeyRing {
  readonly #cipher: Cipher;
  #keys: readonly Key[] = [];

  constructor(cipher: Cipher) {
    this.#cipher = cipher;
  }

  take({ shared_secret: secret, additional_shared_secrets: additional }: ChannelGrant, now: number): boolean {
    const granted: Key[] = [];
    // What the app answers may be anything: a list in a list is text that is no key.
    for (const each of [secret].concat(additional ?? [])) {
      const bytes = this.#cipher.readKey(each);
      if (!bytes) return false;
      granted.push({ text: String(bytes), bytes, expiresAt: Infinity });
    }
    const earlier = this.#keys
      .filter(({ text, expiresAt }) => expiresAt > now && !granted.some((key) => key.text === text))
      .map((key) => ({ ...key, expiresAt: Math.min(key.expiresAt, now + OVERLAP) }));
    this.#keys = [...granted, ...earlier].slice(0, MAX_KEYS);
    return true;
  }

  get fingerprint(): string {
    return this.#keys
      .map(({ text }) => text)
      .sort()
      .join();
  }

  open(sealed: Readonly<Record<string, unknown>>, now: number): string | null | undefined {
    for (const { bytes, expiresAt } of this.#keys) {
      const text = expiresAt > now ? this.#cipher.open(sealed, bytes) : null;
      if (text !== null) return text;
    }
    return null;
  }
}
