import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
} from 'jose';
import { z } from 'zod';
import { Unavailable } from '../errors.ts';

/** After this the keys are read again before one is used, so that a key that was taken back is refused. */
const MAX_AGE_MS = 600_000;
/** Between the beginnings of two reads, so that tokens with invented keys make no load for the issuer. */
const COOL_DOWN_MS = 5000;

const keySetSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(1000) });

export interface KeySetParts {
  /** Reads the JSON Web Key Set of the issuer. @throws Error that says why it cannot */
  readonly read: () => Promise<string>;
  /** Is told what became of each read. */
  readonly onRead: (failure: Error | undefined) => void;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
}

/** The keys that one issuer of tokens publishes. */
export class KeySet {
  readonly #parts: KeySetParts;
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(parts: KeySetParts) {
    this.#parts = parts;
  }

  /**
   * Finds the key of a token. An unknown one makes it read the keys again.
   *
   * @throws JOSEError if the issuer has no such key, or several
   * @throws Unavailable if the issuer does not tell its keys
   */
  async find(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const wasFresh = this.#isFresh;
    if (!wasFresh) await this.#read();
    try {
      return await this.#known(header, token);
    } catch (error) {
      const isUnknown = error instanceof errors.JWKSNoMatchingKey;
      if (!isUnknown || !wasFresh || (this.#isCoolingDown && !this.#reading)) throw error;
      await this.#read();
      return this.#known(header, token);
    }
  }

  get #isFresh(): boolean {
    return this.#keys !== undefined && this.#parts.monotonic() - this.#readAt < MAX_AGE_MS;
  }

  get #isCoolingDown(): boolean {
    return this.#parts.monotonic() - this.#triedAt < COOL_DOWN_MS;
  }

  #known(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    if (!this.#keys || !this.#isFresh) throw new Unavailable('The issuer does not tell its keys');
    return this.#keys(header, token);
  }

  /** Reads the keys, for everybody who waits for them. Those of before stay until they are too old. */
  #read(): Promise<void> {
    if (!this.#reading && this.#isCoolingDown) return Promise.resolve();
    this.#reading ??= this.#readAgain().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readAgain(): Promise<void> {
    const { read, onRead, monotonic } = this.#parts;
    const startedAt = monotonic();
    this.#triedAt = startedAt;
    try {
      this.#keys = createLocalJWKSet(keySetSchema.parse(JSON.parse(await read())));
      this.#readAt = startedAt;
      onRead(undefined);
    } catch (error) {
      onRead(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
