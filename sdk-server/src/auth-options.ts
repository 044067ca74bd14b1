import type { Request, RequestHandler } from 'express';
import type { AddressLimitOptions } from './address-limit.ts';
import type { Logger } from './answer.ts';
import { assertKnown, assertOption } from './assert.ts';
import type { PresenceMember } from './grant.ts';
import { isRecord } from './json.ts';

/** What the router must know of a user; yours may have more. */
export interface AuthUser {
  /** Text or a whole number. On sign-in: 1 to 128 characters that a channel name may have. */
  readonly id: string | number | bigint;
  /** What other members of a presence channel may know. */
  readonly info?: object | null | undefined;
  /** Ids of the users whose coming and going this one wants to know. */
  readonly watchlist?: readonly string[] | undefined;
}

/** Who is asking, and what they may. Functions may answer with a promise; where one throws, nothing is granted. */
export interface AuthRouterOptions<User extends AuthUser> {
  /** The user that this request belongs to, by session, token or otherwise; null or undefined if there is none. */
  readonly user: (req: Request) => User | null | undefined | Promise<User | null | undefined>;
  /** Whether this user may join this private or presence channel. Only `true` grants it. */
  readonly canAccess: (user: User, channel: string, req: Request) => boolean | Promise<boolean>;
  /** Who the user is on this presence channel. @default their id and info */
  readonly member?:
    | ((user: User, channel: string, req: Request) => PresenceMember | Promise<PresenceMember>)
    | undefined;
  /**
   * How many requests one address may make, a batch being one; a handler of your own (express-rate-limit has them for
   * several processes) instead; or false for no limit. @default 100 a minute
   */
  readonly rateLimit?: AddressLimitOptions | RequestHandler | false | undefined;
  /** Gets one line for each attempt. @default failures only, on standard error */
  readonly logger?: Logger | undefined;
  /** Where the router answers, below where it is mounted. @default { channel: '/auth', user: '/user-auth' } */
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
    'authRouter needs user(req), which tells who is asking; without it everybody would be granted everything',
  );
  assertOption(
    typeof options.canAccess === 'function',
    'authRouter needs canAccess(user, channel, req), which tells whether they may',
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
