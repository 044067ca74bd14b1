/** The admin API for the pages: a session in a cookie stands for the token, which the browser does not keep. */
import type { IncomingMessage } from 'node:http';
import express, { type Request, type Router } from 'express';
import { z } from 'zod';
import type { Administrator } from '../admin/administration.ts';
import { answerAdmitted, refuse, write } from '../admin/http/http.ts';
import type { Caller } from '../admin/http/request.ts';
import { parseBody, readBody } from '../http/body.ts';
import { check } from '../http/check.ts';
import { claimsOf } from '../http/session-ticket.ts';
import type { Hub } from '../hub/hub.ts';
import { AdminCookie } from './admin-cookie.ts';
import { endOfSession, storeEnd } from './ended-sessions.ts';

export interface AdminApiParts {
  readonly administrator: Administrator;
  /** The description of the admin API. */
  readonly document: () => object;
  /** Where the router is, which is the path of the cookie. */
  readonly path: string;
  readonly hub: Hub;
  readonly now: () => number;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly isSecure: (request: Request) => boolean;
}

/** The ended sessions are kept as revocations of an app whose id no app can have. */
const APP_ID = 'console:admin';

const signInSchema = z.object({ token: z.string().max(512) });

export function adminApi(parts: AdminApiParts): Router {
  const { administrator, path, hub, now, addressOf } = parts;
  const router = express.Router({ strict: true });

  const cookie = new AdminCookie(parts);
  const keep = cookie.keep.bind(cookie);
  /** Who asks by a cookie. Whoever has signed out, with whatever copy of it, has none. */
  const callerOf = (request: Request): Caller => {
    const ticket = cookie.read(request);
    const claims = claimsOf(ticket, now());
    const hasEnded = claims && hub.revoker.isBlocked(APP_ID, claims.id);
    return { session: hasEnded ? '' : ticket, address: addressOf(request) };
  };

  router.get('/ways', async (_request, response) => void response.json(await administrator.waysIn()));
  router.get('/session', async (request, response) => {
    const answer = await administrator.session(callerOf(request));
    keep(request, response, answer.session);
    write(request, response, answer);
  });
  router.post('/session', async (request, response) => {
    const { token } = check(signInSchema, parseBody(await readBody(request)));
    const caller = { authorization: `Bearer ${token}`, address: addressOf(request) };
    const answer = await administrator.session(caller);
    keep(request, response, answer.session);
    write(request, response, answer);
  });
  router.delete('/session', async (request, response) => {
    const caller = callerOf(request);
    const isSignedIn = (await administrator.admit(caller)) === undefined;
    const claims = claimsOf(caller.session ?? '', now());
    cookie.clear(request, response);
    if (isSignedIn && claims) await storeEnd(hub, endOfSession(APP_ID, claims.id, now()));
    response.json({});
  });
  router.use('/v1', async (request, response) => {
    const refusal = await administrator.admit(callerOf(request));
    if (refusal) return refuse(request, response, refusal);
    // By then the user may have signed out.
    const caller = () => callerOf(request);
    await answerAdmitted(parts, caller, `${path}/v1`, request, response, (answer) =>
      keep(request, response, answer.session),
    );
  });
  return router;
}
