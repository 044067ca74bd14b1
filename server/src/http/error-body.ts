import type { IncomingMessage } from 'node:http';
import { errorCodes } from '../error-codes.ts';
import type { ApiError } from '../errors.ts';

export const PROBLEM = 'application/problem+json';
/** What the code of an error is appended to: the page in the repository, since every broker has its own address. */
export const DOCUMENTATION = 'docs/errors.md#';

/** The body of an answer that refuses a request, and its media type. */
export interface ErrorBody {
  readonly type: string;
  readonly body: object;
}

/**
 * Describes an error to the caller: as a problem of RFC 9457 if `Accept` names that, otherwise in the form of the API.
 *
 * @param now Unix milliseconds; an answer with 401 tells the time, because a wrong clock is a usual cause
 */
export function errorBody(request: IncomingMessage, error: ApiError, now = Date.now()): ErrorBody {
  const { status, code, message } = error;
  const time = status === 401 ? { server_time: Math.floor(now / 1000) } : undefined;
  if (!acceptsProblem(request.headers.accept)) {
    return { type: 'application/json', body: { error: message, status, code, ...time } };
  }
  const type = DOCUMENTATION + code;
  const body = { type, title: errorCodes[code], status, detail: message, code, ...time };
  return { type: PROBLEM, body };
}

/** Whether a caller names problems, and does not give them the weight 0. */
function acceptsProblem(accept: string | undefined): boolean {
  if (!accept?.toLowerCase().includes(PROBLEM)) return false;
  return accept
    .toLowerCase()
    .split(',')
    .map((range) => range.split(';').map((part) => part.trim()))
    .some(([type, ...rest]) => type === PROBLEM && !rest.some((part) => /^q\s*=\s*0(\.0*)?$/.test(part)));
}
