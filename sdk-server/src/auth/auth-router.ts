import express, { type Request, type RequestHandler, type Router } from 'express';
import { channelNamesOf } from '../channel-names.ts';
import { checkSocketId } from '../checks.ts';
import { ArgumentError } from '../errors.ts';
import { AddressLimit, type AddressLimitOptions } from './address-limit.ts';
import {
  answerError,
  failuresOnly,
  handling,
  type Logger,
  logProblem,
  type Problem,
  Refusal,
} from './answer.ts';
import { type AuthRouterOptions, type AuthUser, checkAuthOptions } from './auth-options.ts';
import { type Fields, readFields } from './body.ts';
import { crossOrigin } from './cross-origin.ts';
import { type ChannelGrant, type ChannelRequest, checkChannelRequest, type UserGrant } from './grant.ts';
import { type Authorizer, Granter, userIdOf } from './granter.ts';
import { Renewals } from './renewals.ts';

const CHANNEL = 'channel authorization';
const SIGN_IN = 'user authentication';
const LIMIT = 'authorization rate limit';

/** The log fields of a request. They contain checked values only. */
interface Attempt {
  readonly address: string | undefined;
  socketId?: string;
  channel?: string;
  userId?: string;
}

/** The result for one channel of a batch. */
type BatchEntry =
  | { readonly status: 200; readonly data: ChannelGrant }
  | (Problem & { readonly data?: never });

/**
 * Creates an Express router that signs for clients: `POST /auth` for one channel or a batch of up to 200, `POST /user-auth`
 * for a sign-in, and with `userById` `POST /renew` for the broker. It responds with 401 without a user, 403 if `canAccess` refuses, 400 for a malformed request and 429 past
 * the rate limit. Mount it at `/countersign`, the default of the client SDK, after the middleware that identifies users.
 *
 * @throws ArgumentError `invalid_options`
 * @example
 * ```ts
 * app.use('/countersign', authRouter(countersign, {
 *   user: (req) => (req.headers['x-user'] ? { id: String(req.headers['x-user']) } : null),
 *   canAccess: (user, channel) => channel === `private-user-${user.id}`,
 * }));
 * ```
 */
export function authRouter<User extends AuthUser>(
  countersign: Authorizer,
  options: AuthRouterOptions<User>,
): Router {
  checkAuthOptions(options);
  const { logger = failuresOnly } = options;
  const {
    channel: channelPath = '/auth',
    user: userPath = '/user-auth',
    renew: renewPath = '/renew',
  } = options.paths ?? {};
  const granter = new Granter(countersign, options);

  async function userOf(req: Request, attempt: Attempt): Promise<User> {
    const user = await options.user(req);
    if (!user) throw new Refusal(401, 'not_signed_in', 'Sign in first');
    attempt.userId = userIdOf(user);
    return user;
  }

  async function authorize(fields: Fields, req: Request, attempt: Attempt): Promise<object> {
    const { names, isBatch } = channelNamesOf(fields);
    const socketId = socketIdOf(fields);
    const previous = fields.get('previous_socket_id');
    if (isBatch) return authorizeBatch(socketId, names.map(textOf), previous, req, attempt);
    const request = channelRequestOf(socketId, names[0], countersign);
    Object.assign(attempt, request);
    const grant = await granter.channel(await userOf(req, attempt), request, req, previous);
    logGranted(logger, attempt, CHANNEL);
    return grant;
  }

  async function authorizeBatch(
    socketId: string,
    names: readonly string[],
    previous: unknown,
    req: Request,
    attempt: Attempt,
  ): Promise<Readonly<Record<string, BatchEntry>>> {
    attempt.socketId = socketId;
    const user = await userOf(req, attempt);
    const entryOf = async (name: string): Promise<BatchEntry> => {
      const own = { ...attempt };
      try {
        const request = channelRequestOf(socketId, name, countersign);
        own.channel = request.channel;
        const data = await granter.channel(user, request, req, previous);
        logGranted(logger, own, CHANNEL);
        return { status: 200, data };
      } catch (error) {
        return logProblem(error, logger, own, CHANNEL);
      }
    };
    const entries = names.map(async (name) => [name, await entryOf(name)] as const);
    // Unlike an assignment, this creates a property of any name, `__proto__` too.
    return Object.fromEntries(await Promise.all(entries));
  }

  async function authenticateUser(fields: Fields, req: Request, attempt: Attempt): Promise<UserGrant> {
    const socketId = socketIdOf(fields);
    attempt.socketId = socketId;
    const user = await userOf(req, attempt);
    const grant = granter.signIn(user, socketId);
    logGranted(logger, attempt, SIGN_IN);
    return grant;
  }

  const limit = limiterOf(options.rateLimit, logger);
  const router = express.Router();
  // Ahead of the limit: a page could not read its refusals otherwise.
  if (options.origins) router.all([channelPath, userPath], crossOrigin(options.origins));
  router.post(channelPath, limit, answering(CHANNEL, logger, authorize));
  router.post(userPath, limit, answering(SIGN_IN, logger, authenticateUser));
  const renewals = Renewals.of(granter, options, logger);
  if (renewals) router.post(renewPath, renewals.handler);
  return router;
}

function limiterOf(
  options: AddressLimitOptions | RequestHandler | false = {},
  logger: Logger,
): RequestHandler[] {
  if (options === false) return [];
  if (typeof options === 'function') return [options];
  const limit = new AddressLimit(options, logger);
  const admit: RequestHandler = (req, res, next) => {
    const retryAfter = limit.admit(req);
    if (retryAfter === undefined) return next();
    const refusal = new Refusal(429, 'too_many_requests', 'Too many requests; try again later');
    answerError(res.set('Retry-After', String(retryAfter)), refusal, logger, { address: req.ip }, LIMIT);
  };
  return [admit];
}

/** Creates a route that reads the fields and responds with the result of `act`. */
function answering(
  text: string,
  logger: Logger,
  act: (fields: Fields, req: Request, attempt: Attempt) => Promise<object>,
): RequestHandler {
  return handling(async (req, res) => {
    const attempt: Attempt = { address: req.ip };
    try {
      const answer = await act(await readFields(req, res), req, attempt);
      res.set('Cache-Control', 'no-store').json(answer);
    } catch (error) {
      answerError(res, error, logger, attempt, text);
    }
  });
}

function logGranted(logger: Logger, attempt: Attempt, text: string): void {
  logger.info({ ...attempt, outcome: 'granted', status: 200 }, text);
}

function socketIdOf(fields: Fields): string {
  return orMalformed(() => checkSocketId(fields.get('socket_id')));
}

function channelRequestOf(socketId: string, channel: unknown, { limits }: Authorizer): ChannelRequest {
  return orMalformed(() => checkChannelRequest({ socketId, channel }, limits));
}

/** The names of a batch are keys of its response, so they must be strings. */
function textOf(name: unknown): string {
  if (typeof name === 'string') return name;
  throw new Refusal(400, 'invalid_channel', 'Each channel_name must be a string');
}

/** Turns errors of `check` into 400: here they are the sender's mistakes, not the application's. */
function orMalformed<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (error instanceof ArgumentError) throw new Refusal(400, error.code, error.message);
    throw error;
  }
}
