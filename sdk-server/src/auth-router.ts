import express, { type Request, type RequestHandler, type Router } from 'express';
import { type Options as RateLimitOptions, rateLimit } from 'express-rate-limit';
import { answerError, failuresOnly, type Logger, Refusal } from './answer.ts';
import { assertKnown, assertOption } from './assert.ts';
import { readFields } from './body.ts';
import { checkSocketId } from './checks.ts';
import type { Countersign } from './client.ts';
import { ArgumentError } from './errors.ts';
import {
  type ChannelGrant,
  type ChannelRequest,
  checkChannelRequest,
  type PresenceMember,
  type UserGrant,
} from './grant.ts';
import { isRecord, type JsonObject } from './json.ts';

/** What the router must know of a user; yours may have more. */
export interface AuthUser {
  /** On sign-in: 1 to 128 characters that a channel name may have. */
  readonly id: string;
  /** What other members of a presence channel may know. */
  readonly info?: JsonObject | null | undefined;
  /** Ids of the users whose coming and going this one wants to know. */
  readonly watchlist?: readonly string[] | undefined;
}

/** Who is asking, and what he may. Functions may answer with a promise; where one throws, nothing is granted. */
export interface AuthRouterOptions<User extends AuthUser> {
  /** The user that this request belongs to, by session, token or otherwise; null or undefined if there is none. */
  readonly user: (req: Request) => User | null | undefined | Promise<User | null | undefined>;
  /** Whether this user may join this private or presence channel. Only `true` grants it. */
  readonly canAccess: (user: User, channel: string, req: Request) => boolean | Promise<boolean>;
  /** Who the user is on this presence channel. @default his id and info */
  readonly member?: (user: User, channel: string, req: Request) => PresenceMember | Promise<PresenceMember>;
  /** Options of express-rate-limit, or false for no limit. @default 100 requests per minute and address */
  readonly rateLimit?: Partial<RateLimitOptions> | false;
  /** Gets one line for each attempt. @default failures only, on standard error */
  readonly logger?: Logger;
  /** Where the router answers, below where it is mounted. @default { channel: '/auth', user: '/user-auth' } */
  readonly paths?: { readonly channel?: string; readonly user?: string };
}

const KNOWN: Readonly<Record<keyof AuthRouterOptions<AuthUser>, true>> = {
  user: true,
  canAccess: true,
  member: true,
  rateLimit: true,
  logger: true,
  paths: true,
};
const REQUESTS_PER_MINUTE = 100;
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

/**
 * Serves what clients ask before they join a private or presence channel (`POST /auth`) or sign in (`POST /user-auth`):
 * 401 without a user, 403 where he may not, 400 for a malformed request, 429 past the limit. Mount it at `/countersign`,
 * where our client looks for it, behind what recognizes your users.
 *
 * @throws ArgumentError `invalid_options`
 */
export function authRouter<User extends AuthUser>(
  countersign: Countersign,
  options: AuthRouterOptions<User>,
): Router {
  checkOptions(options);
  const { canAccess, member = memberOf, logger = failuresOnly } = options;
  const { channel: channelPath = '/auth', user: userPath = '/user-auth' } = options.paths ?? {};

  async function userOf(req: Request, attempt: Attempt): Promise<User> {
    const user = await options.user(req);
    if (!user) throw new Refusal(401, 'not_signed_in', 'Sign in first');
    attempt.userId = user.id;
    return user;
  }

  async function authorizeChannel(fields: Fields, req: Request, attempt: Attempt): Promise<ChannelGrant> {
    const { socketId, channel } = channelRequestOf(fields, countersign);
    Object.assign(attempt, { socketId, channel });
    const user = await userOf(req, attempt);
    const isAllowed: unknown = await canAccess(user, channel, req);
    if (isAllowed !== true) throw new Refusal(403, 'forbidden', 'You may not join this channel');
    if (!channel.startsWith('presence-')) return countersign.authorizeChannel(socketId, channel);
    const data: unknown = await member(user, channel, req);
    // Without data the signature would be good for whoever the connection is signed in as.
    if (!isRecord(data))
      throw new ArgumentError('invalid_user', 'member() must answer { user_id, user_info? }');
    return countersign.authorizeChannel(socketId, channel, data);
  }

  async function authenticateUser(fields: Fields, req: Request, attempt: Attempt): Promise<UserGrant> {
    const socketId = orMalformed(() => checkSocketId(fields.get('socket_id')));
    attempt.socketId = socketId;
    const { id, info, watchlist } = await userOf(req, attempt);
    return countersign.authenticateUser(socketId, { id, user_info: info, watchlist });
  }

  const limit = options.rateLimit === false ? [] : [limiter(options.rateLimit, logger)];
  const router = express.Router();
  router.post(channelPath, limit, answering(CHANNEL, logger, authorizeChannel));
  router.post(userPath, limit, answering(SIGN_IN, logger, authenticateUser));
  return router;
}

type Fields = ReadonlyMap<string, unknown>;

function checkOptions<User extends AuthUser>(options: AuthRouterOptions<User>): void {
  assertOption(isRecord(options), 'authRouter needs options');
  assertKnown(options, KNOWN, 'option');
  assertOption(
    typeof options.user === 'function',
    'authRouter needs user(req), which tells who is asking; without it everybody would be granted everything',
  );
  assertOption(
    typeof options.canAccess === 'function',
    'authRouter needs canAccess(user, channel, req), which tells whether he may',
  );
}

function limiter(options: Partial<RateLimitOptions> | undefined, logger: Logger): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: REQUESTS_PER_MINUTE,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler(req, res) {
      const refusal = new Refusal(429, 'too_many_requests', 'Too many requests; try again later');
      answerError(res, refusal, logger, { address: req.ip }, LIMIT);
    },
    ...options,
  });
}

/** A route that reads the fields, answers what `grant` makes of them, and logs the attempt. */
function answering<Grant>(
  text: string,
  logger: Logger,
  grant: (fields: Fields, req: Request, attempt: Attempt) => Promise<Grant>,
): RequestHandler {
  return async (req, res) => {
    const attempt: Attempt = { address: req.ip };
    try {
      const answer = await grant(await readFields(req, res), req, attempt);
      res.set('Cache-Control', 'no-store').json(answer);
      logger.info({ ...attempt, outcome: 'granted', status: 200 }, text);
    } catch (error) {
      answerError(res, error, logger, attempt, text);
    }
  };
}

function channelRequestOf(fields: Fields, { limits }: Countersign): ChannelRequest {
  const request = { socketId: fields.get('socket_id'), channel: fields.get('channel_name') };
  return orMalformed(() => checkChannelRequest(request, limits));
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

function memberOf({ id, info }: AuthUser): PresenceMember {
  return { user_id: id, user_info: info };
}
