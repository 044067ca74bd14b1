import type { IncomingMessage, RequestListener } from 'node:http';

const SLASH = 47;
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** Passes on requests with a target in origin form, whatever form the client sent. */
export function inOriginForm(handle: RequestListener): RequestListener {
  return (request, response) => {
    toOriginForm(request);
    handle(request, response);
  };
}

/**
 * Some clients and proxies send the whole URL, which servers must accept; its authority then replaces the header `Host`
 * (RFC 9112, section 3.2.2).
 */
export function toOriginForm(request: IncomingMessage): void {
  const target = request.url ?? '';
  if (target.charCodeAt(0) === SLASH) return;
  const match = ABSOLUTE.exec(target);
  if (!match) return;
  const [beginning, authority = ''] = match;
  const rest = target.slice(beginning.length);
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  request.headers.host = authority;
}
