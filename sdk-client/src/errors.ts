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

/** Every error that this SDK throws or rejects with. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';

  /**
   * @param code what went wrong
   * @param status of `auth_failed`: the HTTP status of the app's endpoint, 0 if it did not answer
   */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly status = 0,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The app did not sign. */
export function failure(message: string, status: number, options?: ErrorOptions): CountersignError {
  return new CountersignError('auth_failed', message, status, options);
}

/** Whatever of the app was asked did not answer. */
export function unanswered(what: string | undefined, cause: unknown, status = 0): CountersignError {
  return failure(`${what} did not answer: ${cause}`, status, { cause });
}
