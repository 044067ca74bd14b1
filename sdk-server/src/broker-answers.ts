/** What the broker answers, as it came. */

/** What the broker tells about a channel, as far as it was asked with `info`. */
export interface ChannelAttributes {
  /** Distinct users on a presence channel. */
  readonly user_count?: number;
  /** Subscribed connections. */
  readonly subscription_count?: number;
}

/** The answer to `trigger` and `sendToUser`: attributes of the channels if `info` asked for them. */
export interface TriggerAnswer {
  readonly channels?: Readonly<Record<string, ChannelAttributes>>;
}

/** The answer to `triggerBatch`: attributes for each event, in the same order, if any asked for them. */
export interface BatchAnswer {
  readonly batch?: readonly ChannelAttributes[];
}

/** The answer to `channels`: every occupied channel by name. */
export interface ChannelsAnswer {
  readonly channels: Readonly<Record<string, ChannelAttributes>>;
}

/** The answer to `channel`. */
export interface ChannelAnswer extends ChannelAttributes {
  readonly occupied: boolean;
  /** The remembered event of a cache channel and the seconds that it will be remembered, or null if there is none. */
  readonly cache?: { readonly data: string; readonly ttl: number } | null;
}

/** The answer to `presenceMembers`: each user once. */
export interface MembersAnswer {
  readonly users: readonly { readonly id: string }[];
}

/** The answer to `users`: who is signed in, a page at a time. */
export interface UsersAnswer {
  readonly users: readonly { readonly id: string }[];
  /** Where the next page begins, if there is one. */
  readonly cursor?: string;
}

/** One connection of a signed-in user: a device, or one of its windows. */
export interface UserConnection {
  readonly socket_id: string;
  readonly age_seconds: number;
  /** The client library, as it calls itself. */
  readonly client: string;
  readonly address: string;
  /** What it is subscribed to. */
  readonly channels: readonly string[];
}

/** The answer to `user`: without connections if he is not signed in. */
export interface UserAnswer {
  readonly id: string;
  readonly connections: readonly UserConnection[];
}
