import type { Nonces } from '../../adapter/nonces.ts';
import { ApiError, InDoubt, Unavailable } from '../../errors.ts';
import type { Authenticated } from './authenticate.ts';

/** Clocks of nodes may differ by this. */
const REMEMBERED_LONGER_MS = 60_000;
/** Nonces end all the time, about as fast as they come. */
const RETRY_SECONDS = '10';

/** Accepts each nonce of an app once, on all nodes together. */
export class NonceCheck {
  readonly #nonces: Nonces;
  readonly #now: () => number;

  /** @param now Unix milliseconds */
  constructor(nonces: Nonces, now: () => number) {
    this.#nonces = nonces;
    this.#now = now;
  }

  /**
   * Spends the nonce of a request, which must have one.
   *
   * @returns whether it was good
   * @param full called if the app has as many as are remembered
   * @throws ApiError 429 then
   */
  async spend({ app, nonce = '', staleAt }: Authenticated, full: () => void): Promise<boolean> {
    const keepMs = Math.max(0, staleAt - this.#now()) + REMEMBERED_LONGER_MS;
    const outcome = await this.#nonces.spend(app.id, nonce, keepMs, app.limits.nonces);
    if (outcome !== 'full') return outcome === 'spent';
    full();
    throw new ApiError(429, 'too_many_nonces', 'The app has too many nonces at a time: try again later', {
      'Retry-After': RETRY_SECONDS,
    });
  }

  /** The request has failed: its nonce is good again if the request was refused, and not if it may have had an effect. */
  async failed({ app, nonce = '' }: Authenticated, why: unknown): Promise<void> {
    const isRefused = why instanceof ApiError || (why instanceof Unavailable && !(why instanceof InDoubt));
    if (!isRefused) return;
    try {
      await this.#nonces.release(app.id, nonce);
    } catch (error) {
      // It stays spent: the caller makes a new one for each request.
      if (!(error instanceof Unavailable)) throw error;
    }
  }
}
