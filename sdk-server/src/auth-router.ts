import express, { type Request, type RequestHandler, type Router } from 'express';
import { AddressLimit, type AddressLimitOptions } from './address-limit.ts';
import { answerError, failuresOnly, handling, type Logger, logProblem, Refusal } from './answer.ts';
import { type AuthRouterOptions, type AuthUser, checkAuthOptions } from './auth-options.ts';
import { type Fields, readFields } from './body.ts';
import { channelNamesOf } from './channel-names.ts';
import { checkSocketId, quoted } from './checks.ts';
import type { Countersign } from './client.ts';
import { ArgumentError } from './errors.ts';
import {
  type ChannelGrant,
  type ChannelRequest,
  checkChannelRequest,
  type PresenceMember,
  type UserGrant,
} from './grant.ts';
import { isRecord } from './json.ts';

const CHANNEL = 'channel authorization';
const SIGN_IN = 'user authentication';
const LIMIT = 'authorization rate limit';

/** What is known of an attempt when its line is written. Only what was checked gets in. */
interface Attempt {
  readonly address: string | undefined;
  socketId?: string;
  channel?: string;
  userId?: string;
}

/** What a batch answers for one channel. */
type BatchEntry =
  | { readonly status: 200; readonly data: ChannelGrant }
  | { readonly status: number; readonly data?: never };

/** What the router needs of a `Countersign`, whatever its channels are. */
type Authorizer = Pick<Countersign, 'authorizeChannel' | 'authenticateUser' | 'limits'>;

/**
 * Serves what clients ask before they join private or presence channels (`POST /auth`, for one channel or a batch of up
 * to 200) or sign in (`POST /user-auth`): 401 without a user, 403 where they may not, 400 for a malformed request, 429 past
 * the limit. Mount it at `/countersign`, where our client looks for it, behind what recognizes your users.
 *
 * @throws ArgumentError `invalid_options`
 */
export function authRouter<User extends AuthUser>(
  countersign: Authorizer,
  options: AuthRouterOptions<User>,
): Router {
  checkAuthOptions(options);
  const { canAccess, member = memberOf, logger = failuresOnly } = options;
  const { channel: channelPath = '/auth', user: userPath = '/user-auth' } = options.paths ?? {};

  async function userOf(req: Request, attempt: Attempt): Promise<User> {
    const user = await options.user(req);
    if (!user) throw new Refusal(401, 'not_signed_in', 'Sign in first');
    attempt.userId = userIdOf(user);
    return user;
  }

  async function grantChannel(user: User, request: ChannelRequest, req: Request): Promise<ChannelGrant> {
    const { socketId, channel } = request;
    const isAllowed: unknown = await canAccess(user, channel, req);
    if (isAllowed !== true) throw new Refusal(403, 'forbidden', 'You may not join this channel');
    if (!channel.startsWith('presence-')) return countersign.authorizeChannel(socketId, channel);
    const data: unknown = await member(user, channel, req);
    // Without data the signature would be good for whoever the connection is signed in as.
    if (!isRecord(data))
      throw new ArgumentError('invalid_user', 'member() must answer { user_id, user_info? }');
    return countersign.authorizeChannel(socketId, channel, data);
  }

  async function authorize(fields: Fields, req: Request, attempt: Attempt): Promise<object> {
    const { names, isBatch } = channelNamesOf(fields);
    const socketId = socketIdOf(fields);
    if (isBatch) return authorizeBatch(socketId, names.map(textOf), req, attempt);
    const request = channelRequestOf(socketId, names[0], countersign);
    Object.assign(attempt, request);
    const grant = await grantChannel(await userOf(req, attempt), request, req);
    logGranted(logger, attempt, CHANNEL);
    return grant;
  }

  async function authorizeBatch(
    socketId: string,
    names: readonly string[],
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
        const data = await grantChannel(user, request, req);
        logGranted(logger, own, CHANNEL);
        return { status: 200, data };
      } catch (error) {
        return { status: logProblem(error, logger, own, CHANNEL).status };
      }
    };
    const entries = names.map(async (name) => [name, await entryOf(name)] as const);
    // Unlike an assignment, this makes a property of any name, `__proto__` too.
    return Object.fromEntries(await Promise.all(entries));
  }

  async function authenticateUser(fields: Fields, req: Request, attempt: Attempt): Promise<UserGrant> {
    const socketId = socketIdOf(fields);
    attempt.socketId = socketId;
    const user = await userOf(req, attempt);
    const { info, watchlist } = user;
    const grant = countersign.authenticateUser(socketId, { id: userIdOf(user), user_info: info, watchlist });
    logGranted(logger, attempt, SIGN_IN);
    return grant;
  }

  const limit = limiterOf(options.rateLimit, logger);
  const router = express.Router();
  router.post(channelPath, limit, answering(CHANNEL, logger, authorize));
  router.post(userPath, limit, answering(SIGN_IN, logger, authenticateUser));
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

/** A route that reads the fields, and answers what `act` makes of them. */
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

/** The answer to a batch is by name, so a name must at least be text. */
function textOf(name: unknown): string {
  if (typeof name === 'string') return name;
  throw new Refusal(400, 'invalid_channel', 'Each channel_name must be a string');
}

/** What the sender of a request got wrong is answered with 400; the same mistake made by the application is not. */
function orMalformed<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (error instanceof ArgumentError) throw new Refusal(400, error.code, error.message);
    throw error;
  }
}

function memberOf(user: AuthUser): PresenceMember {
  return { user_id: userIdOf(user), user_info: user.info };
}

/** Without this, a user without an id would be asked for, and signed, as "undefined". */
function userIdOf({ id }: AuthUser): string {
  if (typeof id === 'string' && id !== '') return id;
  if (typeof id === 'bigint' || (typeof id === 'number' && Number.isSafeInteger(id))) return String(id);
  const rule = 'a string that is not empty, or a whole number';
  throw new ArgumentError(
    'invalid_user',
    `user(req) answered a user whose id is ${quoted(id)}; it must be ${rule}`,
  );
}
