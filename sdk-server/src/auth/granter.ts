import type { Request } from 'express';
import { quoted } from '../checks.ts';
import type { Countersign } from '../client.ts';
import { ArgumentError } from '../errors.ts';
import { isRecord } from '../json.ts';
import { isSocketId } from '../signature.ts';
import { type GrantTerms, termsOf } from './access.ts';
import { Refusal } from './answer.ts';
import type { AuthRouterOptions, AuthUser } from './auth-options.ts';
import type { ChannelGrant, ChannelRequest, PresenceMember, UserGrant } from './grant.ts';
import { type GrantOptions, isClaimableUser } from './grant-claims.ts';

/** The part of `Countersign` that signs. */
export type Authorizer = Pick<Countersign, 'authorizeChannel' | 'authenticateUser' | 'limits'>;

const GRANT_SECONDS = 900;

/** Decides what a user may join, and signs it: the same for clients that ask and for the broker that renews. */
export class Granter<User extends AuthUser> {
  readonly #countersign: Authorizer;
  readonly #canAccess: AuthRouterOptions<User>['canAccess'];
  readonly #member: NonNullable<AuthRouterOptions<User>['member']>;
  readonly #ttl: number | undefined;
  readonly #signInTtl: number | undefined;
  readonly #recovers: boolean;

  constructor(countersign: Authorizer, options: AuthRouterOptions<User>) {
    const { canAccess, member = memberOf, grantSeconds = GRANT_SECONDS, signInSeconds, recover } = options;
    this.#countersign = countersign;
    this.#recovers = recover ?? false;
    this.#canAccess = canAccess;
    this.#member = member;
    this.#ttl = grantSeconds ?? undefined;
    this.#signInTtl = signInSeconds ?? undefined;
  }

  get limits(): Authorizer['limits'] {
    return this.#countersign.limits;
  }

  /**
   * @param previousSocketId the socket id that the client says it had before; anything else is ignored
   * @throws Refusal 403 if the user may not join
   */
  async channel(
    user: User,
    request: ChannelRequest,
    req: Request,
    previousSocketId?: unknown,
  ): Promise<ChannelGrant> {
    const { socketId, channel } = request;
    const terms = termsOf(await this.#canAccess(user, channel, req));
    if (!terms) throw new Refusal(403, 'forbidden', 'You may not join this channel');
    const options = this.#optionsOf(terms, previousSocketId);
    if (!channel.startsWith('presence-')) {
      return this.#countersign.authorizeChannel(socketId, channel, undefined, this.#named(options, user));
    }
    const data: unknown = await this.#member(user, channel, req);
    // Without data, the signature would be valid for any signed-in user of the connection.
    if (!isRecord(data))
      throw new ArgumentError('invalid_user', 'member() must return { user_id, user_info? }');
    return this.#countersign.authorizeChannel(socketId, channel, data, options);
  }

  signIn(user: User, socketId: string): UserGrant {
    const { info, watchlist } = user;
    const data = { id: userIdOf(user), user_info: info, watchlist };
    return this.#countersign.authenticateUser(socketId, data, { ttl: this.#signInTtl });
  }

  #optionsOf({ ttl = this.#ttl, ...terms }: GrantTerms, previousSocketId: unknown): GrantOptions {
    const isPrevious = this.#recovers && isSocketId(previousSocketId);
    return { ...terms, ttl: ttl ?? undefined, ...(isPrevious && { previousSocketId }) };
  }

  /**
   * Says whom the grant of a private channel is for, if it has claims at all or the next one may have: the broker replays only to
   * the same user. A longer id than claims hold stays unsaid.
   */
  #named(options: GrantOptions, user: AuthUser): GrantOptions {
    const id = userIdOf(user);
    const hasClaims = this.#recovers || Object.values(options).some((value) => value !== undefined);
    return hasClaims && isClaimableUser(id) ? { ...options, user: id } : options;
  }
}

/** Checks a user's id: without this, a user without an id would be signed as "undefined". */
export function userIdOf({ id }: AuthUser): string {
  if (typeof id === 'string' && id !== '') return id;
  if (typeof id === 'bigint' || (typeof id === 'number' && Number.isSafeInteger(id))) return String(id);
  const rule = 'a string that is not empty, or a whole number';
  throw new ArgumentError(
    'invalid_user',
    `user(req) returned a user whose id is ${quoted(id)}; it must be ${rule}`,
  );
}

function memberOf(user: AuthUser): PresenceMember {
  return { user_id: userIdOf(user), user_info: user.info };
}
