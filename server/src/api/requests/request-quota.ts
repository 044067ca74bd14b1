import type { Counters } from '../../adapter/adapter.ts';
import type { App } from '../../apps/app.ts';
import { ApiError, InDoubt, Unavailable } from '../../errors.ts';

const WINDOW_MS = 1000;
/** The part of an app's limit that a process takes at a time. What it takes and does not use is lost to other processes. */
const STEP = 1 / 50;

/** What this process may still let in of an app's requests before it asks again. */
interface Share {
  left: number;
  /** The limit of the running window is used up. */
  isSpent: boolean;
  /** When the window ends, by the monotonic clock. */
  endsAt: number;
  asked: Promise<void> | undefined;
}

/**
 * Holds each app to its requests per second, on all nodes together. Each process takes requests in steps and counts them by
 * itself, so that most of them do not wait.
 */
export class RequestQuota {
  readonly #counters: Counters;
  readonly #monotonic: () => number;
  readonly #shares = new WeakMap<App, Share>();

  /** @param monotonic milliseconds by a monotonic clock */
  constructor(counters: Counters, monotonic: () => number) {
    this.#counters = counters;
    this.#monotonic = monotonic;
  }

  /**
   * Counts one request of an app; mostly there is nothing to wait for.
   *
   * @throws ApiError 429 past `httpRequestsPerSecond`
   */
  admit(app: App): Promise<void> | undefined {
    const limit = app.limits.httpRequestsPerSecond;
    if (limit === null) return undefined;
    let share = this.#shares.get(app);
    if (!share) {
      share = { left: 0, isSpent: false, endsAt: 0, asked: undefined };
      this.#shares.set(app, share);
    }
    if (this.#monotonic() < share.endsAt) {
      if (share.isSpent) throw this.#refusal(share, limit);
      if (share.left > 0) {
        share.left -= 1;
        return undefined;
      }
    }
    return this.#wait(app, share, limit);
  }

  async #wait(app: App, share: Share, limit: number): Promise<void> {
    do {
      share.asked ??= this.#take(app, share, limit).finally(() => {
        share.asked = undefined;
      });
      await share.asked;
      if (share.isSpent) throw this.#refusal(share, limit);
    } while (share.left === 0);
    share.left -= 1;
  }

  /** Takes the next step. While what nodes share is out of reach, each counts by itself. */
  async #take(app: App, share: Share, limit: number): Promise<void> {
    const step = Math.ceil(limit * STEP);
    try {
      const { hits, leftMs } = await this.#counters.hit(`api-requests:${app.id}`, WINDOW_MS, step);
      share.left = Math.min(step, Math.max(0, limit - (hits - step)));
      share.endsAt = this.#monotonic() + leftMs;
    } catch (error) {
      if (!(error instanceof Unavailable || error instanceof InDoubt)) throw error;
      share.left = step;
      share.endsAt = this.#monotonic() + WINDOW_MS * STEP;
    }
    share.isSpent = share.left === 0;
  }

  #refusal({ endsAt }: Share, limit: number): ApiError {
    const seconds = String(Math.max(1, Math.ceil((endsAt - this.#monotonic()) / 1000)));
    return new ApiError(429, 'too_many_requests', 'Too many requests for this app: try again later', {
      'Retry-After': seconds,
      'X-RateLimit-Limit': String(limit),
      'X-RateLimit-Remaining': '0',
    });
  }
}
