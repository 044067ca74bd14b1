/** The way to the identity provider and back. Both requests are navigations: they have no header of the pages. */
import type { IncomingMessage } from 'node:http';
import express, { type CookieOptions, type Request, type Response, type Router } from 'express';
import type { Administrator } from '../admin/administration.ts';
import type { AdminAnswer } from '../admin/http/request.ts';
import { readCookie } from '../http/cookie.ts';
import { splitTarget } from '../http/target.ts';
import { AdminCookie } from './admin-cookie.ts';

export interface ProviderSignInParts {
  readonly administrator: Administrator;
  /** Of the console. */
  readonly path: string;
  /** The path of the cookie that holds the session of an administrator. */
  readonly adminPath: string;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly isSecure: (request: Request) => boolean;
}

/** Holds what the broker has to know when the browser comes back. */
const TICKET = 'countersign-departure';
const TICKET_MS = 15 * 60_000;

export function providerSignIn(parts: ProviderSignInParts): Router {
  const { administrator, path, adminPath, addressOf, isSecure } = parts;
  const here = `${path}/sign-in`;
  const session = new AdminCookie({ path: adminPath, isSecure });
  const router = express.Router({ strict: true });
  const callback = (request: Request) =>
    `${isSecure(request) ? 'https' : 'http'}://${request.get('Host') ?? ''}${here}/callback`;
  // The provider sends the browser back, from another site.
  const attributes = (request: Request): CookieOptions => ({
    httpOnly: true,
    sameSite: 'lax',
    path: here,
    secure: isSecure(request),
  });

  router.get('/', async (request, response) => {
    const { headers, session: ticket, ...answer } = await administrator.depart(callback(request));
    if (ticket === undefined) return refuse(response, path, answer);
    response.cookie(TICKET, ticket, { ...attributes(request), maxAge: TICKET_MS });
    response.redirect(303, headers?.['Location'] ?? path);
  });
  router.get('/callback', async (request, response) => {
    const { rawQuery } = splitTarget(request.url);
    const caller = { session: readCookie(request, TICKET), address: addressOf(request) };
    response.clearCookie(TICKET, attributes(request));
    const answer = await administrator.arrive(`${callback(request)}?${rawQuery}`, caller);
    if (answer.session === undefined) return refuse(response, path, answer);
    session.keep(request, response, answer.session);
    response.redirect(303, `${path}/`);
  });
  return router;
}

/** The page says why: it knows the codes, so that nobody can make it say something else by a link. */
function refuse(response: Response, path: string, { body }: AdminAnswer): void {
  const { code = 'internal_error' } = (body ?? {}) as { readonly code?: string };
  response.redirect(303, `${path}/?refused=${code}`);
}
