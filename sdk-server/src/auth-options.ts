import type { Request } from 'express';
import type { Options as RateLimitOptions } from 'express-rate-limit';
import type { Logger } from './answer.ts';
import { assertKnown, assertOption } from './assert.ts';
import type { PresenceMember } from './grant.ts';
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
  /** Options of express-rate-limit, or false for no limit. A batch is one request. @default 100 requests per minute and address */
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
    'authRouter needs canAccess(user, channel, req), which tells whether he may',
  );
}
