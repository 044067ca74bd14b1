import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { ipKeyGenerator, MINUTE, rateLimit } from 'express-rate-limit';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Counters } from '../adapter/adapter.ts';
import { refuseDisabled } from '../api/service.ts';
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

/** Sessions of one app that may begin per minute, so that those which are ended before their time are bounded too. */
const SIGN_INS_PER_MINUTE = 60;
/** Wrong secrets per minute from one address; after that even the right one has to wait. */
const FAILURES_PER_MINUTE = 10;

const credentialsSchema = z.object({ key: z.string().max(256), secret: z.string().max(512) });

/** Signs somebody in by the key and secret of an app, which are not kept. */
export function signIn({ sessions, counters, log, addressOf }: SignInParts): RequestHandler[] {
  const limit = rateLimit({
    windowMs: MINUTE,
    limit: FAILURES_PER_MINUTE,
    skipSuccessfulRequests: true,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator: (request) => ipKeyGenerator(addressOf(request)),
    handler: (_request, _response, next) =>
      next(new ApiError(429, 'Too many attempts from this address: wait a minute')),
  });
  const enter: RequestHandler = async (request, response, next) => {
    const { key, secret } = check(credentialsSchema, parseBody(await readBody(request)));
    const session = sessions.enter(key, secret);
    const fields = { key, address: addressOf(request) };
    if (!session) {
      // Whoever mixes up the two has put the secret there.
      log.warn({ ...fields, key: `${key.slice(0, 4)}…` }, 'console sign-in refused');
      throw new ApiError(401, 'Key and secret do not belong together');
    }
    refuseDisabled(session.app);
    const { hits } = await counters.hit(`console-sign-ins:${session.app.id}`, MINUTE);
    if (hits > SIGN_INS_PER_MINUTE) throw new ApiError(429, 'Too many sign-ins to this app: wait a minute');
    log.info({ ...fields, appId: session.app.id }, 'console signed in');
    response.locals['session'] = session;
    next();
  };
  return [limit, enter];
}
