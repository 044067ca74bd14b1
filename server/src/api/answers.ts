import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { ApiError, InDoubt, Unavailable } from '../errors.ts';
import { errorBody } from '../http/error-body.ts';
import { splitTarget } from '../http/target.ts';

const REQUEST_ID = 'X-Request-Id';

/** How the API answers: JSON with a request id, under which the log has the same. */
export class Answers {
  readonly #log: Logger;
  readonly #isDraining: () => boolean;
  readonly #now: () => number;
  readonly #idPrefix = `${randomBytes(4).toString('hex')}-`;
  #count = 0;

  /**
   * @param isDraining whether callers shall not keep their connections, since they must find another node
   * @param now Unix milliseconds
   */
  constructor(log: Logger, isDraining: () => boolean, now: () => number) {
    this.#log = log;
    this.#now = now;
    this.#isDraining = isDraining;
  }

  /** Gives a request its id. Called first by code that writes its own answer. */
  begin(response: ServerResponse): void {
    response.setHeader(REQUEST_ID, this.#nextId());
  }

  send(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    body: object,
    headers?: Readonly<Record<string, string>>,
  ): void {
    const requestId = this.#write(response, status, body, headers);
    if (this.#log.isLevelEnabled('debug'))
      this.#log.debug(fieldsOf(request, response, requestId), 'request answered');
  }

  /**
   * Answers with what went wrong. Details of a fault of the broker go to the log only.
   *
   * @returns the status of the answer
   */
  refuse(request: IncomingMessage, response: ServerResponse, error: unknown): number {
    if (request.errored) {
      this.#log.debug(fieldsOf(request, response, this.#idOf(response)), 'client went away');
      return CLIENT_CLOSED_REQUEST;
    }
    if (response.headersSent) {
      this.#log.error(
        { ...fieldsOf(request, response, this.#idOf(response)), err: error },
        'request failed after its answer began',
      );
      response.destroy();
      return response.statusCode;
    }
    const refusal = refusalOf(error, request.method);
    const answered = refusal ?? OUR_FAULT;
    const { status, code, message, headers } = answered;
    const { type, body } = errorBody(request, answered, this.#now());
    const requestId = this.#write(response, status, body, headers, type);
    const fields = fieldsOf(request, response, requestId);
    if (refusal)
      this.#log.info(
        { ...fields, errorCode: code, reason: message.slice(0, MAX_LOGGED_REASON) },
        'request refused',
      );
    else this.#log.error({ ...fields, err: error }, 'request failed');
    return status;
  }

  /** @returns the id of the request */
  #write(
    response: ServerResponse,
    status: number,
    value: object,
    headers: Readonly<Record<string, string>> | undefined,
    type = 'application/json',
  ): string {
    const body = JSON.stringify(value);
    const requestId = this.#idOf(response);
    const size = String(Buffer.byteLength(body));
    const fields = [REQUEST_ID, requestId, 'Content-Type', type, 'Content-Length', size];
    if (this.#isDraining()) fields.push('Connection', 'close');
    if (headers) for (const [name, text] of Object.entries(headers)) fields.push(name, text);
    response.writeHead(status, fields);
    response.end(body);
    return requestId;
  }

  #idOf(response: ServerResponse): string {
    return String(response.getHeader(REQUEST_ID) ?? this.#nextId());
  }

  #nextId(): string {
    this.#count += 1;
    return this.#idPrefix + this.#count.toString(36);
  }
}

/** Never the query, which holds the signature. */
function fieldsOf(request: IncomingMessage, response: ServerResponse, requestId: string): object {
  return {
    requestId,
    method: request.method,
    path: splitTarget(request.url ?? '').path.slice(0, MAX_LOGGED_PATH),
    status: response.statusCode,
  };
}

const MAX_LOGGED_PATH = 300;
/** The text that should have been signed is as long as the query. */
const MAX_LOGGED_REASON = 500;
/** Counts requests whose client did not wait for the answer, as nginx does. */
const CLIENT_CLOSED_REQUEST = 499;
/** The answer to an error for which {@link refusalOf} has none. */
export const OUR_FAULT = new ApiError(
  500,
  'internal_error',
  'Something went wrong in the broker: its log tells what, under X-Request-Id',
);

/** The refusal that answers an error; `undefined` for a fault of the broker. */
export function refusalOf(error: unknown, method: string | undefined): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof InDoubt && method !== 'GET') {
    // No Retry-After: repeating a publish that did take effect would publish it twice.
    return new ApiError(
      503,
      'in_doubt',
      `${error.message}: what was asked for may have been done, or a part of it`,
    );
  }
  if (error instanceof Unavailable) {
    return new ApiError(503, 'unavailable', `${error.message}: try again later`, { 'Retry-After': '1' });
  }
  if (!(error instanceof Error && 'status' in error && typeof error.status === 'number')) return undefined;
  // What express and its parsers say of a request that they cannot read.
  return error.status >= 400 && error.status < 500
    ? new ApiError(error.status, 'invalid_request', error.message)
    : undefined;
}
