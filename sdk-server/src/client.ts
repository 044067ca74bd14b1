import {
  type ChannelGrant,
  grantChannel,
  grantUser,
  type PresenceMember,
  type UserData,
  type UserGrant,
} from './auth/grant.ts';
import type { GrantOptions, SignInOptions } from './auth/grant-claims.ts';
import type {
  BatchAnswer,
  ChannelAnswer,
  ChannelsAnswer,
  ChannelsQuery,
  MembersAnswer,
  TriggerAnswer,
  UserAnswer,
  UsersAnswer,
  UsersQuery,
} from './broker/broker-answers.ts';
import {
  attributesOf,
  type BatchEvent,
  batchItems,
  eventBody,
  type TriggerParams,
  userEventBody,
} from './broker/event.ts';
import { Publisher } from './broker/publisher.ts';
import { type Expulsion, expulsionBody, type Removal, removalBody } from './broker/removal.ts';
import { type Call, request } from './broker/request.ts';
import {
  type AccessAnswer,
  type AccessQuery,
  accessParams,
  type PageQuery,
  pageParams,
  type Revocation,
  type RevocationAnswer,
  type RevocationsAnswer,
  revocationBody,
} from './broker/revocation.ts';
import type { AnyChannels, ChannelName, EventData, EventName } from './channel-map.ts';
import { checkChannel, checkUserId } from './checks.ts';
import { ArgumentError } from './errors.ts';
import type { JsonObject } from './json.ts';
import { type CountersignOptions, type Limits, type Settings, settingsOf } from './options.ts';
import { userChannel } from './signature.ts';
import type { WebhookRequest } from './webhooks/request.ts';
import type { WebhookKeys } from './webhooks/signature.ts';
import { Webhook } from './webhooks/webhook.ts';
import { Webhooks } from './webhooks/webhooks.ts';

/**
 * A client of the broker's HTTP API for one app, and the signer of its grants. With a channel map, the compiler checks
 * `trigger` and `triggerBatch`.
 *
 * Arguments are checked before anything is signed or sent. Calls of the broker reject with a `RequestError`, or its
 * subclasses `NetworkError` and `TimeoutError`, and resolve with the broker's JSON.
 *
 * @example
 * ```ts
 * const countersign = new Countersign({
 *   appId: '1001',
 *   key: 'key-1',
 *   secret: process.env['COUNTERSIGN_SECRET']!,
 *   host: 'channels.example.com',
 * });
 * await countersign.trigger('news', 'published', { title: 'Hello' });
 * ```
 */
export class Countersign<ChannelMap extends object = AnyChannels> {
  readonly #settings: Settings;
  readonly #webhooks: Webhooks;
  readonly #publisher: Publisher;

  /** @throws ArgumentError `invalid_options` */
  constructor(options: CountersignOptions) {
    this.#settings = settingsOf(options);
    this.#webhooks = new Webhooks(this.#settings);
    this.#publisher = new Publisher(this.#settings);
  }

  /** Monitors and repairs the broker's webhook deliveries. */
  get webhooks(): Webhooks {
    return this.#webhooks;
  }

  /** Limits that are checked before anything is sent. */
  get limits(): Limits {
    return this.#settings.limits;
  }

  /**
   * Publishes one event to up to 100 channels. Strings are sent unchanged, everything else as JSON; so are strings that
   * clients would parse as a number, a boolean or null, such as `"12"`. Data for a `private-encrypted-` channel, which must
   * be the only channel, is encrypted. Data has at most 10 KiB by default.
   *
   * A call is sent again if its answer is lost, and the event is published once all the same: it has an idempotency key.
   *
   * Calls of one turn of the event loop travel in one request, unless the option `coalesce` is false: events of one channel
   * keep the order of the calls, and each call has its own answer or error.
   *
   * @throws ArgumentError `invalid_channel`, `invalid_event`, `invalid_data`, `invalid_socket_id`, `too_large`, `no_master_key`
   * @throws RequestError; after `network` or `timeout` it is unknown whether the event was published
   * @example
   * ```ts
   * await countersign.trigger('news', 'published', { title: 'Hello' });
   * await countersign.trigger(['a', 'b'], 'moved', { x: 1 }, { socketId: '1234.5678' }); // not to this connection
   * ```
   */
  async trigger<Name extends ChannelName<ChannelMap>, Event extends EventName<ChannelMap, Name>>(
    channels: Name | readonly Name[],
    event: Event,
    data: EventData<ChannelMap, Name, Event>,
    params: TriggerParams = {},
  ): Promise<TriggerAnswer> {
    return this.#publisher.publish(eventBody(this.#settings, [channels].flat(), event, data, params));
  }

  /**
   * Publishes up to 10 events in order, or none if the broker refuses one of them.
   *
   * @throws ArgumentError as {@link trigger}
   * @example
   * ```ts
   * await countersign.triggerBatch([
   *   { channel: 'a', name: 'moved', data: { x: 1 } },
   *   { channel: 'b', name: 'moved', data: { x: 2 } },
   * ]);
   * ```
   */
  async triggerBatch(events: readonly BatchEvent<ChannelMap>[]): Promise<BatchAnswer> {
    return this.#publisher.publishBatch(batchItems(this.#settings, events));
  }

  /**
   * Publishes one event to every connection of a signed-in user.
   *
   * @throws ArgumentError as {@link trigger}, `invalid_user`
   * @example
   * ```ts
   * await countersign.sendToUser('ann', 'mail', { unread: 3 });
   * ```
   */
  async sendToUser(userId: string, event: string, data: unknown): Promise<TriggerAnswer> {
    const channel = userChannel(checkUserId(userId));
    return this.#publisher.publish(userEventBody(this.#settings, channel, event, data));
  }

  /**
   * Closes the WebSocket of `publishOver: 'websocket'`, once all that was published is answered. A later publish opens
   * another one. Nobody has to: while it waits for nothing, it does not keep the process.
   *
   * @example
   * ```ts
   * process.once('SIGTERM', () => void countersign.close());
   * ```
   */
  async close(): Promise<void> {
    await this.#publisher.close();
  }

  /**
   * Closes every connection that is signed in as this user. They can reconnect immediately unless your backend refuses
   * them or you `block` them.
   *
   * @throws ArgumentError `invalid_user`, `invalid_request`
   * @example
   * ```ts
   * await countersign.terminateUserConnections('ann', { reason: 'Signed out', block: 60 }); // seconds
   * ```
   */
  async terminateUserConnections(userId: string, params: Expulsion = {}): Promise<void> {
    await this.#post(`${userPath(userId)}/terminate_connections`, expulsionBody(params));
  }

  /**
   * Ends the subscriptions of one user, or of one connection, to a channel. The connections stay open but cannot subscribe
   * to the channel again; with `block`, no connection of the user can for that many seconds.
   *
   * @returns the number of ended subscriptions
   * @throws ArgumentError `invalid_channel`, `invalid_user`, `invalid_socket_id`, `invalid_request`
   * @example
   * ```ts
   * const removed = await countersign.removeSubscription('presence-room', { userId: 'bob', reason: 'Spam', block: 3600 });
   * ```
   */
  async removeSubscription(channel: string, subscription: Removal): Promise<number> {
    const answer = await this.#post(
      `${this.#channelPath(channel)}/subscriptions/remove`,
      removalBody(subscription),
    );
    return (answer as { readonly removed: number }).removed;
  }

  /**
   * Takes back what was granted, on every node: ends subscriptions, closes connections, and can block. When it resolves
   * without `pending`, every node has confirmed.
   *
   * @throws RequestError 400 if a field is wrong, which the message names
   * @example
   * ```ts
   * await countersign.revoke({ target: { userId: 'ann', channel: 'private-team-7' }, reason: 'Left the team' });
   * await countersign.revoke({ target: { userId: 'ann' }, action: 'disconnect', exceptSocketId: '1234.5678' }); // other devices
   * ```
   */
  async revoke(revocation: Revocation): Promise<RevocationAnswer> {
    return (await this.#post('/revocations', revocationBody(revocation))) as RevocationAnswer;
  }

  /**
   * Returns the revocations that are in force, oldest first, a page at a time.
   * @example
   * ```ts
   * const { revocations, cursor } = await countersign.listRevocations({ limit: 100 });
   * ```
   */
  async listRevocations(page: PageQuery = {}): Promise<RevocationsAnswer> {
    return (await this.get({ path: '/revocations', params: pageParams(page) })) as RevocationsAnswer;
  }

  /**
   * Lets whom a revocation blocks in again. What was granted before the revocation still does not count.
   *
   * @throws RequestError 404 if it is not in force
   * @example
   * ```ts
   * const { id } = await countersign.revoke({ target: { userId: 'ann' }, blockSeconds: 3600 });
   * await countersign.liftBlock(id);
   * ```
   */
  async liftBlock(id: string): Promise<void> {
    const path = `/revocations/${encodeURIComponent(id)}`;
    await request(this.#settings, { method: 'DELETE', path });
  }

  /**
   * Returns who can read what now, of a user, a channel or both, a page at a time.
   *
   * @throws ArgumentError `invalid_request` without either
   * @example
   * ```ts
   * const { subscriptions } = await countersign.access({ channel: 'private-team-7' });
   * ```
   */
  async access(query: AccessQuery): Promise<AccessAnswer> {
    return (await this.get({ path: '/access', params: accessParams(query) })) as AccessAnswer;
  }

  /**
   * Sends a signed GET request to the HTTP API, and resolves with its JSON.
   *
   * @param query `path` is the part after `/apps/ID`, percent-encoded; `params` are not encoded
   * @throws ArgumentError `invalid_request`
   * @example
   * ```ts
   * const answer = await countersign.get({ path: '/channels', params: { filter_by_prefix: 'presence-' } });
   * ```
   */
  async get(query: Pick<Call, 'path' | 'params'>): Promise<unknown> {
    return request(this.#settings, { method: 'GET', path: query.path, params: query.params });
  }

  /**
   * Returns the occupied channels.
   * @example
   * ```ts
   * const { channels } = await countersign.channels({ filterByPrefix: 'presence-', info: 'user_count' });
   * ```
   */
  async channels({ filterByPrefix, info }: ChannelsQuery = {}): Promise<ChannelsAnswer> {
    const params = { filter_by_prefix: filterByPrefix, ...infoParam(info) };
    return (await this.get({ path: '/channels', params })) as ChannelsAnswer;
  }

  /**
   * Returns the state of one channel, occupied or not.
   *
   * @throws ArgumentError `invalid_channel`
   * @example
   * ```ts
   * const { occupied, subscription_count } = await countersign.channel('news', { info: 'subscription_count' });
   * ```
   */
  async channel(name: string, { info }: Pick<ChannelsQuery, 'info'> = {}): Promise<ChannelAnswer> {
    return (await this.get({ path: this.#channelPath(name), params: infoParam(info) })) as ChannelAnswer;
  }

  /**
   * Returns the users in a presence channel.
   *
   * @throws ArgumentError `invalid_channel`
   * @example
   * ```ts
   * const { users } = await countersign.presenceMembers('presence-room');
   * ```
   */
  async presenceMembers(name: string): Promise<MembersAnswer> {
    const path = `${this.#channelPath(name)}/users`;
    if (!name.startsWith('presence-')) {
      throw new ArgumentError('invalid_channel', 'Only presence channels have members');
    }
    return (await this.get({ path })) as MembersAnswer;
  }

  /**
   * Returns a page of the signed-in users, 100 or `limit` (1 to 1000) of them.
   * @example
   * ```ts
   * let page = await countersign.users({ limit: 1000 });
   * while (page.cursor) page = await countersign.users({ cursor: page.cursor });
   * ```
   */
  async users({ cursor, limit }: UsersQuery = {}): Promise<UsersAnswer> {
    return (await this.get({ path: '/users', params: { cursor, limit } })) as UsersAnswer;
  }

  /**
   * Returns the connections that are signed in as this user.
   *
   * @throws ArgumentError `invalid_user`
   * @example
   * ```ts
   * const { connections } = await countersign.user('ann');
   * ```
   */
  async user(userId: string): Promise<UserAnswer> {
    return (await this.get({ path: userPath(userId) })) as UserAnswer;
  }

  /**
   * Signs the right of one connection to join one private or presence channel. Your code decides first whether it may.
   *
   * @param data the member of a presence channel (without it, the user that the connection is signed in as); on a private
   *   channel any object, which is signed and not shown to other clients
   * @param options what narrows the right, such as the seconds after which it ends; without any it lasts as long as the
   *   connection
   * @returns the response for the client; send it as JSON with status 200
   * @throws ArgumentError `invalid_socket_id`, `invalid_channel` (also for a public one), `invalid_user`, `invalid_grant`,
   *   `too_large`, `no_master_key`
   * @example
   * ```ts
   * const member = { user_id: 'ann', user_info: { name: 'Ann' } };
   * countersign.authorizeChannel('1234.5678', 'presence-room', member, { ttl: 900 });
   * countersign.authorizeChannel('1234.5678', 'private-feed', undefined, { ttl: 900, may: ['subscribe'], user: 'ann' });
   * ```
   */
  authorizeChannel(
    socketId: string,
    channel: string,
    data?: PresenceMember | object,
    options: GrantOptions = {},
  ): ChannelGrant {
    return grantChannel(this.#settings, socketId, channel, data, options);
  }

  /**
   * Signs one connection in as a user, until the connection ends or the `ttl` of the options is over.
   *
   * @returns the response for the client; send it as JSON with status 200
   * @throws ArgumentError `invalid_socket_id`, `invalid_user`, `invalid_grant`, `too_large`
   * @example
   * ```ts
   * const grant = countersign.authenticateUser('1234.5678', { id: 'ann', watchlist: ['bob'] }, { ttl: 900 });
   * ```
   */
  authenticateUser(
    socketId: string,
    user: UserData | (UserData & JsonObject),
    options: SignInOptions = {},
  ): UserGrant {
    return grantUser(this.#settings, socketId, user, options);
  }

  /**
   * Wraps a received webhook: a request of Node, Express or fetch, an event of Lambda, or `{ headers, rawBody }`. Call
   * `await webhook.verify()` first: it accepts signatures of the app's key and of `additionalKeys`, or with `keys` only
   * those of the webhook's own secret or of the broker's public keys.
   *
   * @throws WebhookError `body_was_parsed` if `rawBody` is neither a string nor bytes
   * @throws ArgumentError `invalid_options`
   * @example
   * ```ts
   * async function receive(request: Request): Promise<void> {
   *   const webhook = await countersign.webhook(request).verify();
   *   for (const event of webhook.events()) console.log(event.name);
   * }
   * ```
   */
  webhook(received: WebhookRequest, keys?: WebhookKeys): Webhook {
    return new Webhook(received, this.#settings.tokens, this.#settings.now, keys);
  }

  #post(path: string, body: object): Promise<unknown> {
    return request(this.#settings, { method: 'POST', path, body });
  }

  #channelPath(name: string): string {
    return `/channels/${checkChannel(name, this.#settings.limits)}`;
  }
}

function infoParam(info: ChannelsQuery['info']): { readonly info: string | undefined } {
  return { info: info === undefined ? undefined : attributesOf(info) };
}

function userPath(userId: string): string {
  return `/users/${checkUserId(userId)}`;
}
