import type { RequestError } from '../errors.ts';
import { isRecord } from '../json.ts';

const FIRST_DELAY = 100;
const TRY_AGAIN_LATER = [429, 503];
const BROKEN_ON_THE_WAY = [502, 503, 504];

/**
 * Returns the delay in ms before a failed request is sent again, or `undefined` if a retry is not safe.
 *
 * What may have had an effect is sent again only if that has no second effect: a publish has an idempotency key for this.
 *
 * @param isRepeatable whether it can be sent again although it may have had its effect
 * @param attempt number of attempts before the failed one
 */
export function retryDelay(isRepeatable: boolean, error: RequestError, attempt: number): number | undefined {
  const { status, retryAfter } = error;
  if (error.code === 'timeout') return isRepeatable ? backoff(attempt) : undefined;
  if (error.code === 'network') {
    return isRepeatable || wasRefused(error.cause) ? backoff(attempt) : undefined;
  }
  if (error.code !== 'request_refused' || status === undefined) return undefined;
  // All callers get the same `Retry-After`, so a random delay is added.
  if (retryAfter !== undefined && TRY_AGAIN_LATER.includes(status)) return retryAfter + backoff(attempt);
  return isRepeatable && BROKEN_ON_THE_WAY.includes(status) ? backoff(attempt) : undefined;
}

/** Converts the header `Retry-After`, seconds or a date, to milliseconds from `now`. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

/** Returns a delay that doubles each time; half of it is random, so that callers do not return all at once. */
export function backoff(attempt: number): number {
  return FIRST_DELAY * 2 ** attempt * (0.5 + Math.random() / 2);
}

/** Whether no connection was established, so that nothing was sent. `fetch` wraps the cause; a host with several addresses has several. */
function wasRefused(error: unknown): boolean {
  // By its fields: errors of another realm are not instances of this realm's Error.
  if (!isRecord(error)) return false;
  const { code, cause, errors } = error;
  if (Array.isArray(errors)) return errors.length > 0 && errors.every(wasRefused);
  return code === 'ECONNREFUSED' || wasRefused(cause);
}
