/** What can be wrong with what the SDK was given: its options, or the arguments of one call. */
export type ArgumentErrorCode =
  | 'invalid_options'
  | 'invalid_socket_id'
  | 'invalid_channel'
  | 'invalid_event'
  | 'invalid_data'
  | 'invalid_user'
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

/** Every `code` that an error of this package carries. Codes are stable; messages are not. */
export type ErrorCode = ArgumentErrorCode | RequestErrorCode | WebhookErrorCode;

/** What all errors of this package have in common: a stable `code` to switch on, and a `cause` where there is one. */
export abstract class CountersignError extends Error {
  abstract readonly code: ErrorCode;
}

/** The caller's mistake. It is thrown before anything is signed or sent. */
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

/** What is known about a request that failed. */
export interface FailedRequest {
  /** The URL of the request without its signature, so that it may be logged. */
  readonly url: string;
  /** The status of the answer, if there was one. */
  readonly status?: number;
  /** The text of the answer, if there was one. */
  readonly body?: string;
  /** Milliseconds after which the broker wants to be asked again, if it said so. */
  readonly retryAfter?: number;
}

/** The broker refused a request (`request_refused`), or its answer is not JSON (`invalid_answer`). */
export class RequestError extends CountersignError {
  override readonly name: string = 'RequestError';
  /** The URL of the request without its signature, so that it may be logged. */
  readonly url: string;
  /** The status of the answer, or `undefined` if none came. */
  readonly status: number | undefined;
  /** The text of the answer, or `undefined` if none came. */
  readonly body: string | undefined;
  /** Milliseconds after which the broker wants to be asked again, if it said so. */
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
    this.retryAfter = request.retryAfter;
  }
}

/** No answer came: the broker could not be reached or the connection broke. Whether the request had an effect is unknown. */
export class NetworkError extends RequestError {
  override readonly name = 'NetworkError';

  constructor(message: string, request: FailedRequest, options?: ErrorOptions) {
    super('network', message, request, options);
  }
}

/** No answer came within the option `timeout`. Whether the request had an effect is unknown. */
export class TimeoutError extends RequestError {
  override readonly name = 'TimeoutError';

  constructor(message: string, request: FailedRequest, options?: ErrorOptions) {
    super('timeout', message, request, options);
  }
}

/** A webhook that cannot be trusted or read. */
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
