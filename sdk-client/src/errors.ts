/** What went wrong, as a word that does not change: switch on it rather than on the message. */
export type ErrorCode =
  | 'invalid_option'
  | 'invalid_channel'
  | 'invalid_event'
  | 'encryption_missing'
  | 'auth_failed'
  | 'signin_refused'
  | 'timeout'
  | 'disconnected';

/** Every error that this SDK throws or rejects with. Know it by its `code`: a page may hold two copies of the class. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';

  /**
   * @param code what went wrong
   * @param status of `auth_failed`: the HTTP status of the app's endpoint, 0 if there was none
   * @param retryAfter ms before which the client does not ask again; `undefined` if it does not ask again by itself
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

/** Whether a request that was answered with this status may be answered otherwise soon; 0 is no answer. */
export function isTemporary(status: number): boolean {
  return !status || status >= 500 || [408, 425, 429].includes(status);
}

/** The app did not sign. */
export function failure(
  message: string,
  status: number,
  retryAfter?: number,
  cause?: unknown,
): CountersignError {
  return new CountersignError('auth_failed', message, status, retryAfter, cause);
}

/** Whatever of the app was asked did not answer. */
export function unanswered(what: string | undefined, cause: unknown, status = 0): CountersignError {
  return failure(`${what} did not answer: ${cause}`, status, 0, cause);
}
