/** What can be wrong with options or arguments. */
export type ArgumentErrorCode =
  | 'invalid_options'
  | 'invalid_socket_id'
  | 'invalid_channel'
  | 'invalid_event'
  | 'invalid_data'
  | 'invalid_user'
  | 'invalid_grant'
  | 'invalid_request'
  | 'too_large'
  | 'no_master_key';

/** How a request to the broker can fail. */
export type RequestErrorCode = 'request_refused' | 'invalid_answer' | 'network' | 'timeout';

/** Why a webhook cannot be trusted or read. */
export type WebhookErrorCode =
  | 'body_was_parsed'
  | 'body_not_read'
  | 'too_large'
  | 'malformed'
  | 'unknown_key'
  | 'bad_signature'
  | 'stale'
  | 'replayed';

/** Every `code` of this package's errors. Codes are stable; messages are not. */
export type ErrorCode = ArgumentErrorCode | RequestErrorCode | WebhookErrorCode;

/**
 * The base class of this package's errors. Switch on the stable `code`; `cause` is set if another error caused it.
 *
 * @example
 * ```ts
 * try {
 *   await countersign.trigger('news', 'published', { title: 'Hello' });
 * } catch (error) {
 *   if ((error as CountersignError).code !== 'timeout') throw error;
 * }
 * ```
 */
export abstract class CountersignError extends Error {
  abstract readonly code: ErrorCode;
}

/**
 * Invalid options or arguments. It is thrown before anything is signed or sent.
 *
 * @example
 * ```ts
 * try {
 *   countersign.authorizeChannel('1234.5678', 'news');
 * } catch (error) {
 *   console.log((error as ArgumentError).code); // invalid_channel: public channels need no authorization
 * }
 * ```
 */
export class ArgumentError extends CountersignError {
  override readonly name = 'ArgumentError';

  constructor(
    readonly code: ArgumentErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Details of a failed request. */
export interface FailedRequest {
  /** The URL of the request without its signature, safe to log. */
  readonly url: string;
  /** The status of the response, if there was one. */
  readonly status?: number;
  /** The text of the response, if there was one. */
  readonly body?: string;
  /** The broker's code of the refusal, if it sent one. */
  readonly errorCode?: string;
  /** Milliseconds to wait before trying again, if the broker sent `Retry-After`. */
  readonly retryAfter?: number;
}

/**
 * A request that the broker refused (`request_refused`) or answered with something other than JSON (`invalid_answer`).
 *
 * @example
 * ```ts
 * try {
 *   await countersign.channels();
 * } catch (error) {
 *   const { status, errorCode, retryAfter } = error as RequestError;
 *   console.warn(status, errorCode, retryAfter); // for example: 401 timestamp_expired undefined
 * }
 * ```
 */
export class RequestError extends CountersignError {
  override readonly name: string = 'RequestError';
  /** The URL of the request without its signature, safe to log. */
  readonly url: string;
  /** The status of the response, or `undefined` without a response. */
  readonly status: number | undefined;
  /** The text of the response, or `undefined` without a response. */
  readonly body: string | undefined;
  /** Why the broker refused: a stable code such as `timestamp_expired`, or `undefined` if another server answered. */
  readonly errorCode: string | undefined;
  /** Milliseconds to wait before trying again, if the broker sent `Retry-After`. */
  readonly retryAfter: number | undefined;

  constructor(
    readonly code: RequestErrorCode,
    message: string,
    request: FailedRequest,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.url = request.url;
    this.status = request.status;
    this.body = request.body;
    this.errorCode = request.errorCode;
    this.retryAfter = request.retryAfter;
  }
}

/**
 * The broker could not be reached, or the connection broke before its response. Whether the request had an effect is
 * unknown.
 *
 * @example
 * ```ts
 * await countersign.users().catch((error: unknown) => {
 *   if ((error as NetworkError).code === 'network') return { users: [] };
 *   throw error;
 * });
 * ```
 */
export class NetworkError extends RequestError {
  override readonly name = 'NetworkError';

  constructor(message: string, request: FailedRequest, options?: ErrorOptions) {
    super('network', message, request, options);
  }
}

/**
 * The broker did not respond within the option `timeout`. Whether the request had an effect is unknown.
 *
 * @example
 * ```ts
 * await countersign.users().catch((error: unknown) => {
 *   if ((error as TimeoutError).code === 'timeout') return { users: [] };
 *   throw error;
 * });
 * ```
 */
export class TimeoutError extends RequestError {
  override readonly name = 'TimeoutError';

  constructor(message: string, request: FailedRequest, options?: ErrorOptions) {
    super('timeout', message, request, options);
  }
}

/**
 * A webhook that cannot be trusted or read.
 *
 * @example
 * ```ts
 * try {
 *   await countersign.webhook({ headers: {}, rawBody: '{}' }).verify();
 * } catch (error) {
 *   console.log((error as WebhookError).code); // unknown_key
 * }
 * ```
 */
export class WebhookError extends CountersignError {
  override readonly name = 'WebhookError';

  constructor(
    readonly code: WebhookErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
