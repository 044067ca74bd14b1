/** What the app signs for its users, and what it is asked for it. */

/** A request for the right to join a private or presence channel on one connection. */
export interface ChannelRequest {
  /** The id of the connection, such as `1234.5678`. */
  readonly socketId: string;
  readonly channelName: string;
}

/** A request for the right to sign one connection in. */
export interface UserRequest {
  /** The id of the connection, such as `1234.5678`. */
  readonly socketId: string;
}

/** The right to join one channel on one connection, signed by the app. */
export interface ChannelGrant {
  /** `KEY:SIGNATURE`. */
  readonly auth: string;
  /** The signed JSON text; presence channels need `user_id` in it. */
  readonly channel_data?: string;
  /** The key of an encrypted channel, in base64. */
  readonly shared_secret?: string;
  /** Other keys that open the channel's events, in base64, while the app changes its master key. */
  readonly additional_shared_secrets?: readonly string[];
}

/** The right to sign one connection in as one user, signed by the app. */
export interface UserGrant {
  /** `KEY:SIGNATURE`. */
  readonly auth: string;
  /** The signed JSON text, with the user's `id` in it. */
  readonly user_data: string;
}

/** Asks the app for grants. Both methods reject with a `CountersignError`. */
export interface Authorizer {
  channel(request: ChannelRequest, signal: AbortSignal): Promise<ChannelGrant>;
  user(request: UserRequest, signal: AbortSignal): Promise<UserGrant>;
  /** Aborts requests in progress. */
  end(): void;
}

/** Returns a JSON Web Token of an identity provider that the app trusts. */
export type TokenSource = () => string | Promise<string>;
