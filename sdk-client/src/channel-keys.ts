import { open, readKey } from './cipher.ts';
import type { ChannelGrant } from './grants.ts';

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
export class ChannelKeys {
  #keys: readonly Key[] = [];

  /** Takes the keys of a grant; earlier ones expire. @returns false, and changes nothing, unless each is base64 of 32 bytes */
  take({ shared_secret: secret, additional_shared_secrets: additional }: ChannelGrant, now: number): boolean {
    const granted: Key[] = [];
    // What the app answers may be anything: a list in a list is text that is no key.
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

  /** Changes with the keys. */
  get fingerprint(): string {
    return this.#keys
      .map(({ text }) => text)
      .sort()
      .join();
  }

  /** The text that was sealed in an event's data: null if by another key, `undefined` if nothing is sealed in it. */
  open(sealed: Readonly<Record<string, unknown>>, now: number): string | null | undefined {
    for (const { bytes, expiresAt } of this.#keys) {
      const text = expiresAt > now ? open(sealed, bytes) : null;
      if (text !== null) return text;
    }
    return null;
  }
}
