import type { Request, RequestHandler } from 'express';
import { assertKnown, assertOption } from '../assert.ts';
import { isRecord } from '../json.ts';
import { requireWebhookSecret } from '../webhooks/secret.ts';
import type { Access } from './access.ts';
import type { AddressLimitOptions } from './address-limit.ts';
import type { Logger } from './answer.ts';
import { checkOrigins } from './cross-origin.ts';
import type { PresenceMember } from './grant.ts';

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
  /**
   * Returns whether a user may join a private or presence channel: `true`, or `{ allow: true }` with what narrows the
   * grant. Anything else refuses with 403.
   */
  readonly canAccess: (user: User, channel: string, req: Request) => Access | Promise<Access>;
  /** Returns the member that a user is in a presence channel. @default the user's id and info */
  readonly member?:
    | ((user: User, channel: string, req: Request) => PresenceMember | Promise<PresenceMember>)
    | undefined;
  /**
   * Seconds after which the grant of a channel ends; null for none. Our client renews it in time, the broker does it for all
   * other clients if the app has `grants.renewal`. @default 900
   */
  readonly grantSeconds?: number | null | undefined;
  /**
   * Seconds after which a sign-in ends, in the same way; null for none. If it is not renewed, the connection is closed, and
   * only an app with `grants.onExpiry: "reconnect"` lets clients of others come back by themselves. @default null
   */
  readonly signInSeconds?: number | null | undefined;
  /**
   * Returns the user of an id; null or undefined if there is none any more. With it the router serves `POST /renew`, where
   * the broker asks whether users still may what they were granted: `canAccess` and `member` then decide again, with the
   * broker's request as `req`. It needs `renewalSecret`.
   */
  readonly userById?:
    | ((id: string) => User | null | undefined | Promise<User | null | undefined>)
    | undefined;
  /** The `grants.renewal.secret` of the app, `whsec_…`, which signs the broker's requests; or several while it is changed. */
  readonly renewalSecret?: string | readonly string[] | undefined;
  /**
   * Whether clients may name the connection that they had before, in the field `previous_socket_id`: the router signs it, and
   * the broker replays what that connection may not have got. For clients that know no positions. @default false
   */
  readonly recover?: boolean | undefined;
  /**
   * Limit of requests from one address, where a batch is one request; or an Express handler that limits (for several
   * processes, such as express-rate-limit); or false for no limit. @default 100 a minute
   */
  readonly rateLimit?: AddressLimitOptions | RequestHandler | false | undefined;
  /**
   * Origins whose pages may ask with their cookies, such as `https://app.example.com`, if they are not served from the origin
   * of this router: the router answers with the headers of CORS. @default none
   */
  readonly origins?: readonly string[] | undefined;
  /** Receives one line for each request. @default failures only, on standard error */
  readonly logger?: Logger | undefined;
  /** Paths of the routes, below the mount point. @default { channel: '/auth', user: '/user-auth', renew: '/renew' } */
  readonly paths?:
    | {
        readonly channel?: string | undefined;
        readonly user?: string | undefined;
        readonly renew?: string | undefined;
      }
    | undefined;
}

const LONGEST_GRANT = 2 ** 31 - 1;

const KNOWN: Readonly<Record<keyof AuthRouterOptions<AuthUser>, true>> = {
  user: true,
  canAccess: true,
  member: true,
  grantSeconds: true,
  signInSeconds: true,
  userById: true,
  renewalSecret: true,
  recover: true,
  rateLimit: true,
  origins: true,
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
  checkSeconds('grantSeconds', options.grantSeconds);
  checkSeconds('signInSeconds', options.signInSeconds);
  checkRenewal(options);
  assertOption(
    options.recover === undefined || typeof options.recover === 'boolean',
    'recover must be true or false',
  );
  checkRateLimit(options.rateLimit);
  checkOrigins(options.origins);
}

function checkSeconds(name: string, seconds: unknown): void {
  const isCount = Number.isSafeInteger(seconds) && Number(seconds) >= 1 && Number(seconds) <= LONGEST_GRANT;
  assertOption(
    seconds === undefined || seconds === null || isCount,
    `${name} must be whole seconds from 1 to ${LONGEST_GRANT}, or null`,
  );
}

function checkRenewal({ userById, renewalSecret }: { userById?: unknown; renewalSecret?: unknown }): void {
  assertOption(
    userById === undefined || typeof userById === 'function',
    'userById must be a function of an id',
  );
  assertOption(
    (userById === undefined) === (renewalSecret === undefined),
    'userById and renewalSecret need each other: without the secret anybody could ask for grants',
  );
  if (renewalSecret === undefined) return;
  const secrets: readonly unknown[] = Array.isArray(renewalSecret) ? renewalSecret : [renewalSecret];
  assertOption(secrets.length > 0, 'renewalSecret must be a secret, or a list of them');
  for (const secret of secrets) requireWebhookSecret(secret, 'renewalSecret');
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
