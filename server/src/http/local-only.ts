import type { IncomingMessage, RequestListener } from 'node:http';
import { hostnameOf, isLoopback, whyNotLocal } from '../config/loopback.ts';
import { ApiError, codes, Disconnect } from '../errors.ts';
import { errorBody } from './error-body.ts';

/**
 * Why a request does not come from this machine and its pages; `undefined` if it does. A page of another site in a
 * browser of this machine reaches loopback as well, but its requests name their origin.
 */
export function whyForeign(request: IncomingMessage): string | undefined {
  const { method = '', headers } = request;
  const reason = whyNotLocal(request);
  if (reason !== undefined) return reason;
  const { origin } = headers;
  if (origin !== undefined) {
    return isLoopback(hostnameOf(origin)) ? undefined : 'its Origin is a page of another site';
  }
  // Browsers send no origin with requests that only read, such as a link that somebody follows.
  const isSafe = method === 'GET' || method === 'HEAD';
  return headers['sec-fetch-site'] === 'cross-site' && !isSafe ? 'a page of another site sent it' : undefined;
}

/** Refuses requests that do not come from this machine and its pages. */
export function localOnly(handle: RequestListener): RequestListener {
  return (request, response) => {
    const reason = whyForeign(request);
    if (reason === undefined) return handle(request, response);
    const { type, body } = errorBody(request, notLocalError(reason));
    response.writeHead(403, { 'Content-Type': type, Connection: 'close' });
    response.end(JSON.stringify(body));
  };
}

/** The refusal of a request from elsewhere. */
export function notLocalError(reason: string): ApiError {
  return new ApiError(403, 'not_local', explain(reason));
}

/** The refusal of a WebSocket from elsewhere. */
export function notLocal(reason: string): Disconnect {
  return new Disconnect(codes.unauthorized, 'not_local', explain(reason));
}

function explain(reason: string): string {
  return `This broker answers this machine and its pages only: ${reason}`;
}
