import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { ipKeyGenerator, MINUTE, rateLimit } from 'express-rate-limit';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Counters } from '../adapter/adapter.ts';
import { refuseDisabled } from '../api/requests/callers.ts';
import { ApiError } from '../errors.ts';
import { parseBody, readBody } from '../http/body.ts';
import { check } from '../http/check.ts';
import type { Sessions } from './sessions.ts';

export interface SignInParts {
  readonly sessions: Sessions;
  readonly counters: Counters;
  readonly log: Logger;
  readonly addressOf: (request: IncomingMessage) => string;
}

/** Sign-ins to one app per minute; this bounds the ended sessions, too. */
const SIGN_INS_PER_MINUTE = 60;
/** Wrong secrets per minute from one address; after that the right one has to wait, too. */
const FAILURES_PER_MINUTE = 10;

const credentialsSchema = z.object({ key: z.string().max(256), secret: z.string().max(512) });

/** Signs a user in with the key and secret of an app, and stores neither. */
export function signIn({ sessions, counters, log, addressOf }: SignInParts): RequestHandler[] {
  const limit = rateLimit({
    windowMs: MINUTE,
    limit: FAILURES_PER_MINUTE,
    skipSuccessfulRequests: true,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: (request) => ipKeyGenerator(addressOf(request)),
    handler: (_request, _response, next) =>
      next(new ApiError(429, 'too_many_requests', 'Too many attempts from this address: wait a minute')),
  });
  const start: RequestHandler = async (request, response, next) => {
    const { key, secret } = check(credentialsSchema, parseBody(await readBody(request)));
    const session = sessions.start(key, secret);
    const fields = { key, address: addressOf(request) };
    if (!session) {
      // A user may have put the secret into the field of the key.
      log.warn({ ...fields, key: `${key.slice(0, 4)}…` }, 'console sign-in refused');
      throw new ApiError(401, 'invalid_key_or_secret', 'This key and secret do not match');
    }
    refuseDisabled(session.app);
    const { hits } = await counters.hit(`console-sign-ins:${session.app.id}`, MINUTE);
    if (hits > SIGN_INS_PER_MINUTE)
      throw new ApiError(429, 'too_many_requests', 'Too many sign-ins to this app: wait a minute');
    log.info({ ...fields, appId: session.app.id }, 'console signed in');
    response.locals['session'] = session;
    next();
  };
  return [limit, start];
}
