import type { Request, RequestHandler, Response } from 'express';
import type { Config } from '../config/config.ts';
import { isLoopback, whyNotLocal } from '../config/loopback.ts';
import { ApiError } from '../errors.ts';

export interface SecurityHeadersParts {
  readonly config: Config;
  /** Whether there is no sign-in; then the console is for this machine only. */
  readonly open: boolean;
  readonly isSecure: (request: Request) => boolean;
}

/** Pages of other sites cannot send this header: CORS would have to allow it. */
const OWN_HEADER = 'X-Countersign-Console';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const NEEDS_TLS = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Countersign console</title>
<h1>The console needs TLS</h1>
<p>A sign-in sends a secret. This request came without TLS, and from outside of this machine: through a proxy, under
another name than localhost, or to another address than loopback. Configure <code>tls</code>, or put a proxy with TLS in
front and add it to <code>trustProxy</code>. <code>"console": false</code> turns the console off.</p></html>`;

/** Sets the security headers, and refuses requests that could send a secret without TLS. */
export function securityHeaders({ config, open, isSecure }: SecurityHeadersParts): RequestHandler {
  const onLoopback = isLoopback(config.host);
  return (request, response, next) => {
    response.set({
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    });
    const isLocal = onLoopback && whyNotLocal(request) === undefined;
    if (!isLocal && open)
      throw new ApiError(403, 'not_local', 'This console is for requests from this machine only');
    if (!isLocal && !isSecure(request)) return void response.status(403).type('html').send(NEEDS_TLS);
    next();
  };
}

/** Refuses requests that a page of another site could have sent. A link of our own pages, such as a download, has no header of ours. */
export const ownPagesOnly: RequestHandler = (request, _response, next) => {
  const isOwnLink = request.method === 'GET' && request.get('Sec-Fetch-Site') === 'same-origin';
  if (request.get(OWN_HEADER) === undefined && !isOwnLink)
    throw new ApiError(403, 'missing_header', `Send the header ${OWN_HEADER}`);
  next();
};

/**
 * Allows a page to connect.
 *
 * @param sources the value of `connect-src`
 */
export function allowConnections(response: Response, sources: string): void {
  response.set('Content-Security-Policy', `${POLICY}; connect-src ${sources}`);
}
