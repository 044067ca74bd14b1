import type { IncomingMessage, RequestListener } from 'node:http';

const SLASH = 47;
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

/** Hands on requests with a target in origin form, whichever form they came with. */
export function inOriginForm(handle: RequestListener): RequestListener {
  return (request, response) => {
    toOriginForm(request);
    handle(request, response);
  };
}

/**
 * Some clients, and proxies on behalf of others, name the whole URL, which servers must accept; its authority then takes the
 * place of the header Host (RFC 9112, section 3.2.2).
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
