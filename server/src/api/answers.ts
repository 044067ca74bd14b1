import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { ApiError, Unavailable } from '../errors.ts';
import { splitTarget } from './target.ts';

const REQUEST_ID = 'X-Request-Id';

/** How the API answers: JSON with a request id, under which the log has the same. */
export class Answers {
  readonly #log: Logger;
  readonly #isDraining: () => boolean;
  readonly #idPrefix = `${randomBytes(4).toString('hex')}-`;
  #count = 0;

  /** @param isDraining whether callers shall not keep their connections, since they must find another node */
  constructor(log: Logger, isDraining: () => boolean) {
    this.#log = log;
    this.#isDraining = isDraining;
  }

  /** Gives a request its id. */
  begin(response: ServerResponse): void {
    this.#count += 1;
    response.setHeader(REQUEST_ID, this.#idPrefix + this.#count.toString(36));
  }

  send(request: IncomingMessage, response: ServerResponse, status: number, body: object): void {
    this.#write(response, status, body);
    if (this.#log.isLevelEnabled('debug'))
      this.#log.debug(this.#fields(request, response), 'request answered');
  }

  /**
   * Answers with what went wrong; what is our own fault is told to the log only.
   *
   * @returns the status of the answer
   */
  refuse(request: IncomingMessage, response: ServerResponse, error: unknown): number {
    if (request.errored) {
      this.#log.debug(this.#fields(request, response), 'client went away');
      return CLIENT_CLOSED_REQUEST;
    }
    if (response.headersSent) {
      this.#log.error(
        { ...this.#fields(request, response), err: error },
        'request failed after its answer began',
      );
      response.destroy();
      return response.statusCode;
    }
    const refusal = asRefusal(error);
    const { status, message, headers } = refusal ?? OUR_FAULT;
    this.#write(response, status, { error: message, code: status }, headers);
    const fields = this.#fields(request, response);
    if (refusal) this.#log.info({ ...fields, reason: message }, 'request refused');
    else this.#log.error({ ...fields, err: error }, 'request failed');
    return status;
  }

  #write(
    response: ServerResponse,
    status: number,
    value: object,
    headers?: Readonly<Record<string, string>>,
  ): void {
    const body = JSON.stringify(value);
    if (this.#isDraining()) response.setHeader('Connection', 'close');
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...headers,
    });
    response.end(body);
  }

  /** Never the query, which holds the signature. */
  #fields(request: IncomingMessage, response: ServerResponse): object {
    return {
      requestId: response.getHeader(REQUEST_ID),
      method: request.method,
      path: splitTarget(request.url ?? '').path.slice(0, MAX_LOGGED_PATH),
      status: response.statusCode,
    };
  }
}

const MAX_LOGGED_PATH = 300;
/** Counts requests whose client did not wait for the answer, as nginx does. */
const CLIENT_CLOSED_REQUEST = 499;
const OUR_FAULT = new ApiError(
  500,
  'Something went wrong in the broker: its log tells what, under X-Request-Id',
);

function asRefusal(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof Unavailable) {
    return new ApiError(503, `${error.message}: try again later`, { 'Retry-After': '1' });
  }
  if (!(error instanceof Error && 'status' in error && typeof error.status === 'number')) return undefined;
  // What express and its parsers say of a request that they cannot read.
  return error.status >= 400 && error.status < 500 ? new ApiError(error.status, error.message) : undefined;
}
