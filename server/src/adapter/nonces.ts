import { createHash } from 'node:crypto';

/** What became of a nonce: it was spent now, it had been spent before, or there was no room to remember it. */
export type NonceOutcome = 'spent' | 'reused' | 'full';

/** The nonces of requests, each of which an app accepts once. */
export interface Nonces {
  /**
   * Spends a nonce. Once this resolves, all nodes know it.
   *
   * @param keepMs how long it is remembered
   * @param limit how many nonces the app may have at a time
   */
  spend(appId: string, nonce: string, keepMs: number, limit: number): Promise<NonceOutcome>;
  /** Makes a nonce unspent, because its request was refused. */
  release(appId: string, nonce: string): Promise<void>;
}

/** What is remembered of a nonce: the same few bytes for each, however long it is. */
export function nonceDigest(nonce: string): string {
  return createHash('sha256').update(nonce).digest('base64url').slice(0, 22);
}
