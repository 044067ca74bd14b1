/** The broker's responses, and the options of the calls that list something. */

/** Attributes of a channel, those that `info` asked for. */
export interface ChannelAttributes {
  /** Number of distinct users in a presence channel. */
  readonly user_count?: number;
  /** Number of subscribed connections. */
  readonly subscription_count?: number;
  /** In a channel with a history, the place of the event that was published. */
  readonly position?: string;
}

/** The response to `trigger` and `sendToUser`: attributes of the channels if `info` asked for them. */
export interface TriggerAnswer {
  readonly channels?: Readonly<Record<string, ChannelAttributes>>;
}

/** The response to `triggerBatch`: attributes for each event, in the same order, if any asked for them. */
export interface BatchAnswer {
  readonly batch?: readonly ChannelAttributes[];
}

/** The response to `channels`: every occupied channel by name. */
export interface ChannelsAnswer {
  readonly channels: Readonly<Record<string, ChannelAttributes>>;
}

/** The response to `channel`. */
export interface ChannelAnswer extends ChannelAttributes {
  readonly occupied: boolean;
  /** The kept event of a cache channel and the seconds for which it is still kept; null if there is none. */
  readonly cache?: { readonly data: string; readonly ttl: number } | null;
}

/** The response to `presenceMembers`: each user once. */
export interface MembersAnswer {
  readonly users: readonly { readonly id: string }[];
}

/** The response to `users`: one page of signed-in users. */
export interface UsersAnswer {
  readonly users: readonly { readonly id: string }[];
  /** Start of the next page, if there is one. */
  readonly cursor?: string;
}

/** One connection of a signed-in user: a device, or one of its windows. */
export interface UserConnection {
  readonly socket_id: string;
  readonly age_seconds: number;
  /** The client library, as it calls itself. */
  readonly client: string;
  readonly address: string;
  /** Names of its channels. */
  readonly channels: readonly string[];
}

/** The response to `user`; `connections` is empty if the user is not signed in. */
export interface UserAnswer {
  readonly id: string;
  readonly connections: readonly UserConnection[];
}

/** Options of `channels`. */
export interface ChannelsQuery {
  /** Returns only channels with this prefix. `info: 'user_count'` needs a prefix that starts with `presence-`. */
  readonly filterByPrefix?: string | undefined;
  /** Attributes to return, such as `user_count`. */
  readonly info?: string | readonly string[] | undefined;
}

/** Options of `users`. */
export interface UsersQuery {
  /** `cursor` of the previous page. */
  readonly cursor?: string | undefined;
  /** Users of one page, 1 to 1000. @default 100 */
  readonly limit?: number | undefined;
}
