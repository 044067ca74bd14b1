/** A stable name of what went wrong: switch on it rather than on the message. */
export type ErrorCode =
  | 'invalid_option'
  | 'invalid_channel'
  | 'invalid_event'
  | 'encryption_missing'
  | 'auth_failed'
  | 'signin_refused'
  | 'subscription_refused'
  | 'unsubscribed'
  | 'timeout'
  | 'disconnected'
  // Why the broker does not publish a client event.
  | 'not_subscribed'
  | 'event_rate'
  | 'event_too_large'
  | 'invalid_event_name'
  | 'channel_not_allowed'
  | 'client_events_off'
  | 'publish_not_granted'
  | 'unavailable';

/**
 * Why an endpoint of the app gave no grant, as `reason` of `auth_failed`.
 *
 * - `endpoint_unreachable`: no response, or one that CORS hides
 * - `endpoint_refused`: a status of failure
 * - `endpoint_redirected`: a redirect, which is not followed
 * - `endpoint_invalid`: a response that is not a grant
 * - `member_missing`: a grant for a presence channel that does not say who joins
 * - `key_invalid`: a grant for an encrypted channel without a valid key
 * - `handler_failed`: a function of the app threw: `customHandler`, `token` or `auth.refresh`
 */
export type EndpointFailure =
  | 'endpoint_unreachable'
  | 'endpoint_refused'
  | 'endpoint_redirected'
  | 'endpoint_invalid'
  | 'member_missing'
  | 'key_invalid'
  | 'handler_failed';

/** What else an error knows. */
export interface ErrorDetails {
  /** Why `auth_failed`: an {@link EndpointFailure}; for `signin_refused` and `subscription_refused` the broker's text code. */
  readonly reason?: string | undefined;
  /** The endpoint, without its query. */
  readonly url?: string | undefined;
  /** The first characters of what the endpoint responded, unless that may be a grant. */
  readonly body?: string | undefined;
}

const MAX_BODY = 500;
const MAX_WORDS = 120;

/** Where the documentation explains a code. */
export function docsOf(code: string | number): string {
  return `docs/errors.md#${code}`;
}

/**
 * The error class of this SDK. Recognize errors by `code` and not by class: a page may hold two copies of the class.
 *
 * @example
 * ```ts
 * try {
 *   await client.signin();
 * } catch (error) {
 *   const { code, reason, status, body, docs } = error as CountersignError;
 *   console.warn(code, reason, status, body, docs); // for example: auth_failed endpoint_refused 403 …
 * }
 * ```
 */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';
  readonly reason: string | undefined;
  readonly url: string | undefined;
  readonly body: string | undefined;
  /** Where the documentation explains it. */
  readonly docs: string;

  /**
   * @param code what went wrong
   * @param status HTTP status of the app's endpoint for `auth_failed`; 0 if there was no response
   * @param retryAfter shortest pause in ms before the client asks again; `undefined` if it does not ask again by itself
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly status = 0,
    readonly retryAfter?: number,
    cause?: unknown,
    { reason, url, body }: ErrorDetails = {},
  ) {
    super(message, { cause });
    this.reason = reason;
    this.url = url;
    this.body = body?.slice(0, MAX_BODY);
    this.docs = docsOf(reason ?? code);
  }
}

/** Whether a request with this status may succeed soon; 0 is no response. */
export function isTemporary(status: number): boolean {
  return !status || status >= 500 || [408, 425, 429].includes(status);
}

/** The error for a request that the app refused or failed to answer with a grant. */
export function failure(
  message: string,
  status: number,
  details: ErrorDetails,
  retryAfter?: number,
  cause?: unknown,
): CountersignError {
  return new CountersignError('auth_failed', message, status, retryAfter, cause, details);
}

/** The error for a function of the app that gave no answer. */
export function unanswered(what: string, cause: unknown, status = 0): CountersignError {
  return failure(`${what} did not answer: ${cause}`, status, { reason: 'handler_failed' }, 0, cause);
}

/** The first words of a text for people; of HTML those that the page shows. */
export function wordsOf(text: string): string {
  const words = text
    .slice(0, 4096)
    .replace(/<(script|style)\b[\s\S]*?<\/\1>|<[^>]*>/gi, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)}…` : words;
}
