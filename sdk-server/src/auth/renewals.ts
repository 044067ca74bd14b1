import type { KeyObject } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { checkSocketId } from '../checks.ts';
import { requireWebhookSecret } from '../webhooks/secret.ts';
import { answerError, handling, type Logger, logProblem, Refusal } from './answer.ts';
import type { AuthRouterOptions, AuthUser } from './auth-options.ts';
import { checkChannelRequest } from './grant.ts';
import type { Granter } from './granter.ts';
import { type EndingGrant, readRenewalRequest } from './renewal-request.ts';

/** The answer about one grant, in the order asked. 403 ends the grant; after any other failure the broker asks again. */
type Renewal =
  | { readonly status: 200; readonly auth: string; readonly channel_data?: string }
  | { readonly status: 200; readonly auth: string; readonly user_data: string }
  | { readonly status: 403; readonly reason: string }
  | { readonly status: number };

const RENEWAL = 'grant renewal';

/** Answers the broker, which asks whether users still may what they were granted. */
export class Renewals<User extends AuthUser> {
  readonly #granter: Granter<User>;
  readonly #userById: NonNullable<AuthRouterOptions<User>['userById']>;
  readonly #keys: readonly KeyObject[];
  readonly #logger: Logger;

  private constructor(
    granter: Granter<User>,
    userById: NonNullable<AuthRouterOptions<User>['userById']>,
    keys: readonly KeyObject[],
    logger: Logger,
  ) {
    this.#granter = granter;
    this.#userById = userById;
    this.#keys = keys;
    this.#logger = logger;
  }

  /** Returns nothing without `userById`. */
  static of<User extends AuthUser>(
    granter: Granter<User>,
    { userById, renewalSecret = [] }: AuthRouterOptions<User>,
    logger: Logger,
  ): Renewals<User> | undefined {
    if (!userById) return undefined;
    const keys = [renewalSecret].flat().map((secret) => requireWebhookSecret(secret, 'renewalSecret'));
    return new Renewals(granter, userById, keys, logger);
  }

  readonly handler: RequestHandler = handling(async (req, res) => {
    try {
      const grants = await readRenewalRequest(req, this.#keys, Date.now());
      res.set('Cache-Control', 'no-store').json({ grants: await this.#renewAll(grants, req) });
    } catch (error) {
      answerError(res, error, this.#logger, { address: req.ip }, RENEWAL);
    }
  });

  #renewAll(grants: readonly EndingGrant[], req: Request): Promise<Renewal[]> {
    const users = new Map<string, Promise<User>>();
    // Most users have several grants, and are looked up once.
    const userOf = (id: string): Promise<User> => {
      const user = users.get(id) ?? this.#find(id);
      users.set(id, user);
      return user;
    };
    return Promise.all(grants.map((grant) => this.#renew(grant, userOf, req)));
  }

  async #renew(
    { socketId, userId, channel }: EndingGrant,
    userOf: (id: string) => Promise<User>,
    req: Request,
  ): Promise<Renewal> {
    const fields = { address: req.ip, socketId, userId, channel };
    try {
      if (typeof userId !== 'string' || userId === '') {
        throw new Refusal(403, 'forbidden', 'The grant names no user');
      }
      const user = await userOf(userId);
      const renewal =
        channel === undefined || channel === null
          ? this.#granter.signIn(user, checkSocketId(socketId))
          : await this.#channel(user, socketId, channel, req);
      this.#logger.info({ ...fields, outcome: 'granted', status: 200 }, RENEWAL);
      return { status: 200, ...renewal };
    } catch (error) {
      const { status, error: reason } = logProblem(error, this.#logger, fields, RENEWAL);
      return status === 403 ? { status, reason } : { status };
    }
  }

  async #channel(
    user: User,
    socketId: unknown,
    channel: unknown,
    req: Request,
  ): Promise<{ readonly auth: string; readonly channel_data?: string }> {
    const request = checkChannelRequest({ socketId, channel }, this.#granter.limits);
    const { auth, channel_data } = await this.#granter.channel(user, request, req);
    // The keys of an encrypted channel are not for the broker.
    return { auth, ...(channel_data !== undefined && { channel_data }) };
  }

  async #find(id: string): Promise<User> {
    const user = await this.#userById(id);
    if (!user) throw new Refusal(403, 'no_such_user', 'There is no such user any more');
    return user;
  }
}
