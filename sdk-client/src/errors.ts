/** A stable name of what went wrong: switch on it rather than on the message. */
export type ErrorCode =
  | 'invalid_option'
  | 'invalid_channel'
  | 'invalid_event'
  | 'encryption_missing'
  | 'auth_failed'
  | 'signin_refused'
  | 'timeout'
  | 'disconnected';

/**
 * The error class of this SDK. Recognize errors by `code` and not by class: a page may hold two copies of the class.
 *
 * @example
 * ```ts
 * try {
 *   await client.signin();
 * } catch (error) {
 *   const { code, status } = error as CountersignError;
 *   console.warn(code, status); // for example: auth_failed 403
 * }
 * ```
 */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';

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
  ) {
    super(message, { cause });
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
  retryAfter?: number,
  cause?: unknown,
): CountersignError {
  return new CountersignError('auth_failed', message, status, retryAfter, cause);
}

/** The error for an endpoint or handler of the app that did not respond. */
export function unanswered(what: string | undefined, cause: unknown, status = 0): CountersignError {
  return failure(`${what} did not answer: ${cause}`, status, 0, cause);
}
