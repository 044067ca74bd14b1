import type { RequestError } from './errors.ts';
import { isRecord } from './json.ts';

const FIRST_DELAY = 100;
const TRY_AGAIN_LATER = [429, 503];
const BROKEN_ON_THE_WAY = [502, 503, 504];

/**
 * Milliseconds to wait before a failed request is sent again, or `undefined` where that is not safe.
 *
 * A publish that was perhaps carried out is never repeated: subscribers would see it twice.
 *
 * @param attempt how many attempts were made before the failed one
 */
export function retryDelay(method: string, error: RequestError, attempt: number): number | undefined {
  const { status, retryAfter } = error;
  if (error.code === 'network') {
    return method === 'GET' || wasRefused(error.cause) ? backoff(attempt) : undefined;
  }
  if (error.code !== 'request_refused' || status === undefined) return undefined;
  // Everybody is told the same second, so each comes back a little later than told.
  if (retryAfter !== undefined && TRY_AGAIN_LATER.includes(status)) return retryAfter + backoff(attempt);
  return method === 'GET' && BROKEN_ON_THE_WAY.includes(status) ? backoff(attempt) : undefined;
}

/** The header `Retry-After`, which is seconds or a date, as milliseconds from `now`. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

/** Twice as long each time, of which the second half is random, so that many callers do not come back at once. */
function backoff(attempt: number): number {
  return FIRST_DELAY * 2 ** attempt * (0.5 + Math.random() / 2);
}

/** Whether no connection came about, so that nothing was sent. `fetch` wraps the reason, and a name with several addresses has several. */
function wasRefused(error: unknown): boolean {
  // By its fields: where the platform's errors are of another realm, they are no instances of this one's Error.
  if (!isRecord(error)) return false;
  const { code, cause, errors } = error;
  if (Array.isArray(errors)) return errors.length > 0 && errors.every(wasRefused);
  return code === 'ECONNREFUSED' || wasRefused(cause);
}
