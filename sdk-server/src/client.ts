import type {
  BatchAnswer,
  ChannelAnswer,
  ChannelsAnswer,
  MembersAnswer,
  TriggerAnswer,
  UserAnswer,
  UsersAnswer,
} from './broker-answers.ts';
import type { AnyChannels, ChannelName, EventData, EventName } from './channel-map.ts';
import { checkChannel, checkUserId } from './checks.ts';
import { ArgumentError } from './errors.ts';
import {
  attributesOf,
  type BatchEvent,
  batchItems,
  eventBody,
  type TriggerParams,
  userEventBody,
} from './event.ts';
import {
  type ChannelGrant,
  grantChannel,
  grantUser,
  type PresenceMember,
  type UserData,
  type UserGrant,
} from './grant.ts';
import type { JsonObject } from './json.ts';
import { type CountersignOptions, type Limits, type Settings, settingsOf } from './options.ts';
import { type Expulsion, expulsionBody, type Removal, removalBody } from './removal.ts';
import { type Call, request } from './request.ts';
import { userChannel } from './signature.ts';
import { Webhook } from './webhook.ts';
import type { WebhookRequest } from './webhook-request.ts';
import { Webhooks } from './webhooks.ts';

/** What `channels` may be asked for. */
export interface ChannelsQuery {
  /** Only channels whose names start like this. `user_count` needs one that starts with `presence-`. */
  readonly filterByPrefix?: string | undefined;
  /** Attributes to be told, such as `user_count`. */
  readonly info?: string | readonly string[] | undefined;
}

/** Which page `users` answers. */
export interface UsersQuery {
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

/**
 * An app at a Countersign broker, seen from the servers that belong to it. With a map of its channels, `trigger` and
 * `triggerBatch` are checked by the compiler; what is sent to a user has no channel, and so is not.
 *
 * All arguments are checked before anything is signed or sent. Calls that talk to the broker reject with a
 * `RequestError`, of which `NetworkError` and `TimeoutError` are kinds. What the broker answers is passed on as it is.
 */
export class Countersign<ChannelMap extends object = AnyChannels> {
  readonly #settings: Settings;
  readonly #webhooks: Webhooks;

  /** @throws ArgumentError `invalid_options` */
  constructor(options: CountersignOptions) {
    this.#settings = settingsOf(options);
    this.#webhooks = new Webhooks(this.#settings);
  }

  /** The webhooks that the broker sends to the app: how they stand, and what has not arrived. */
  get webhooks(): Webhooks {
    return this.#webhooks;
  }

  /** What is refused before it is sent. */
  get limits(): Limits {
    return this.#settings.limits;
  }

  /**
   * Publishes one event to up to 100 channels. A string is sent as it is, everything else as JSON; so is a string that
   * clients would take for a number, a boolean or null, such as `"12"`. Data for a `private-encrypted-` channel, which
   * must be the only one, is encrypted.
   *
   * @throws ArgumentError `invalid_channel`, `invalid_event`, `invalid_data`, `invalid_socket_id`, `too_large`, `no_master_key`
   */
  async trigger<Name extends ChannelName<ChannelMap>, Event extends EventName<ChannelMap, Name>>(
    channels: Name | readonly Name[],
    event: Event,
    data: EventData<ChannelMap, Name, Event>,
    params: TriggerParams = {},
  ): Promise<TriggerAnswer> {
    const body = eventBody(this.#settings, [channels].flat(), event, data, params);
    return (await this.#post('/events', body)) as TriggerAnswer;
  }

  /** Publishes up to 10 events in order, or none if one of them is refused. @throws ArgumentError as {@link trigger} */
  async triggerBatch(events: readonly BatchEvent<ChannelMap>[]): Promise<BatchAnswer> {
    return (await this.#post('/batch_events', { batch: batchItems(this.#settings, events) })) as BatchAnswer;
  }

  /** Publishes one event to every connection of a signed-in user. @throws ArgumentError as {@link trigger}, `invalid_user` */
  async sendToUser(userId: string, event: string, data: unknown): Promise<TriggerAnswer> {
    const channel = userChannel(checkUserId(userId));
    return (await this.#post(
      '/events',
      userEventBody(this.#settings, channel, event, data),
    )) as TriggerAnswer;
  }

  /**
   * Closes every connection that is signed in as this user. He may come back at once, unless you refuse him or `block`
   * him for some seconds.
   *
   * @throws ArgumentError `invalid_user`, `invalid_request`
   */
  async terminateUserConnections(userId: string, params: Expulsion = {}): Promise<void> {
    await this.#post(`${userPath(userId)}/terminate_connections`, expulsionBody(params));
  }

  /**
   * Ends the subscriptions of one user, or of one connection, to a channel. The connections stay, but may not have the
   * channel again; with `block`, nor may any other connection of that user for so many seconds.
   *
   * @returns how many subscriptions ended
   * @throws ArgumentError `invalid_channel`, `invalid_user`, `invalid_socket_id`, `invalid_request`
   */
  async removeSubscription(channel: string, who: Removal): Promise<number> {
    const answer = await this.#post(`${this.#channelPath(channel)}/subscriptions/remove`, removalBody(who));
    return (answer as { readonly removed: number }).removed;
  }

  /**
   * Asks the HTTP API, and answers its JSON.
   *
   * @param query `path` is what follows `/apps/ID`, percent-encoded; `params` are not encoded
   * @throws ArgumentError `invalid_request`
   */
  async get(query: Pick<Call, 'path' | 'params'>): Promise<unknown> {
    return request(this.#settings, { method: 'GET', path: query.path, params: query.params });
  }

  /** The occupied channels. */
  async channels({ filterByPrefix, info }: ChannelsQuery = {}): Promise<ChannelsAnswer> {
    const params = { filter_by_prefix: filterByPrefix, ...infoParam(info) };
    return (await this.get({ path: '/channels', params })) as ChannelsAnswer;
  }

  /** The state of one channel, occupied or not. @throws ArgumentError `invalid_channel` */
  async channel(name: string, { info }: Pick<ChannelsQuery, 'info'> = {}): Promise<ChannelAnswer> {
    return (await this.get({ path: this.#channelPath(name), params: infoParam(info) })) as ChannelAnswer;
  }

  /** The users on a presence channel. @throws ArgumentError `invalid_channel` */
  async presenceMembers(name: string): Promise<MembersAnswer> {
    const path = `${this.#channelPath(name)}/users`;
    if (!name.startsWith('presence-')) {
      throw new ArgumentError('invalid_channel', 'Only presence channels have members');
    }
    return (await this.get({ path })) as MembersAnswer;
  }

  /** Who is signed in, at most 100 or `limit` (1 to 1000) at a time; `cursor` of one answer asks for the next. */
  async users({ cursor, limit }: UsersQuery = {}): Promise<UsersAnswer> {
    return (await this.get({ path: '/users', params: { cursor, limit } })) as UsersAnswer;
  }

  /** The connections that are signed in as this user. @throws ArgumentError `invalid_user` */
  async user(userId: string): Promise<UserAnswer> {
    return (await this.get({ path: userPath(userId) })) as UserAnswer;
  }

  /**
   * Signs that one connection may join one private or presence channel. Whether it may is for you to decide first.
   *
   * @param data who the user is on a presence channel (without it, the user that the connection is signed in as); on
   *   a private channel any object, which the broker checks but shows to nobody
   * @throws ArgumentError `invalid_socket_id`, `invalid_channel` (also for a public one), `invalid_user`, `too_large`, `no_master_key`
   */
  authorizeChannel(socketId: string, channel: string, data?: PresenceMember | object): ChannelGrant {
    return grantChannel(this.#settings, socketId, channel, data);
  }

  /**
   * Signs that one connection is this user for as long as it lives.
   *
   * @throws ArgumentError `invalid_socket_id`, `invalid_user`, `too_large`
   */
  authenticateUser(socketId: string, user: UserData | (UserData & JsonObject)): UserGrant {
    return grantUser(this.#settings, socketId, user);
  }

  /**
   * Takes a webhook that arrived: a request of Node, Express or fetch, an event of Lambda, or `{ headers, rawBody }`. It is valid if this
   * app's key, or one of `additionalKeys`, signed it; `await webhook.verify()` tells, before anything else.
   *
   * @throws WebhookError `body_was_parsed` if `rawBody` is neither text nor bytes
   */
  webhook(received: WebhookRequest): Webhook {
    return new Webhook(received, this.#settings.tokens, this.#settings.now);
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
