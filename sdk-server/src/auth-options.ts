import type { Request, RequestHandler } from 'express';
import type { AddressLimitOptions } from './address-limit.ts';
import type { Logger } from './answer.ts';
import { assertKnown, assertOption } from './assert.ts';
import type { PresenceMember } from './grant.ts';
import { isRecord } from './json.ts';

/** The fields that the router reads of a user; other fields are ignored. */
export interface AuthUser {
  /** A string or a whole number. For sign-in: 1 to 128 characters that channel names allow. */
  readonly id: string | number | bigint;
  /** Data that other members of a presence channel see. */
  readonly info?: object | null | undefined;
  /** Ids of the users whose coming online and going offline this user follows; at most 100. */
  readonly watchlist?: readonly string[] | undefined;
}

/**
 * Options of {@link authRouter}. Functions may return a promise; if one throws, the router refuses with 500.
 *
 * @example
 * ```ts
 * const options: AuthRouterOptions<{ id: string; rooms: string[] }> = {
 *   user: () => ({ id: 'ann', rooms: ['private-room-7'] }),
 *   canAccess: (user, channel) => user.rooms.includes(channel),
 *   rateLimit: { limit: 30, windowSeconds: 10 },
 * };
 * app.use('/countersign', authRouter(countersign, options));
 * ```
 */
export interface AuthRouterOptions<User extends AuthUser> {
  /** Returns the user of a request, from its session, token or otherwise; null or undefined refuses with 401. */
  readonly user: (req: Request) => User | null | undefined | Promise<User | null | undefined>;
  /** Returns whether a user may join a private or presence channel. Only `true` grants it; anything else refuses with 403. */
  readonly canAccess: (user: User, channel: string, req: Request) => boolean | Promise<boolean>;
  /** Returns the member that a user is in a presence channel. @default the user's id and info */
  readonly member?:
    | ((user: User, channel: string, req: Request) => PresenceMember | Promise<PresenceMember>)
    | undefined;
  /**
   * Limit of requests from one address, where a batch is one request; or an Express handler that limits (for several
   * processes, such as express-rate-limit); or false for no limit. @default 100 a minute
   */
  readonly rateLimit?: AddressLimitOptions | RequestHandler | false | undefined;
  /** Receives one line for each request. @default failures only, on standard error */
  readonly logger?: Logger | undefined;
  /** Paths of the two routes, below the mount point. @default { channel: '/auth', user: '/user-auth' } */
  readonly paths?: { readonly channel?: string | undefined; readonly user?: string | undefined } | undefined;
}

const KNOWN: Readonly<Record<keyof AuthRouterOptions<AuthUser>, true>> = {
  user: true,
  canAccess: true,
  member: true,
  rateLimit: true,
  logger: true,
  paths: true,
};

/** @throws ArgumentError `invalid_options` */
export function checkAuthOptions<User extends AuthUser>(options: AuthRouterOptions<User>): void {
  assertOption(isRecord(options), 'authRouter needs options');
  assertKnown(options, KNOWN, 'option');
  assertOption(
    typeof options.user === 'function',
    'authRouter needs user(req), which returns the user of a request; without it everybody would be granted everything',
  );
  assertOption(
    typeof options.canAccess === 'function',
    'authRouter needs canAccess(user, channel, req), which returns whether the user may join',
  );
  checkRateLimit(options.rateLimit);
}

function checkRateLimit(rateLimit: unknown): void {
  if (rateLimit === undefined || rateLimit === false || typeof rateLimit === 'function') return;
  assertOption(isRecord(rateLimit), 'rateLimit must be { limit, windowSeconds }, a handler, or false');
  assertKnown(rateLimit, { limit: true, windowSeconds: true }, 'option of rateLimit');
  for (const [name, value] of Object.entries(rateLimit)) {
    const isCount = Number.isSafeInteger(value) && Number(value) >= 1;
    assertOption(value === undefined || isCount, `rateLimit.${name} must be a whole number from 1`);
  }
}
