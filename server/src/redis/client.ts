/**
 * What the broker needs of a client, alike for one server, a cluster and the master that sentinels name. The client fails
 * as a whole, once: the listener of `error` destroys it and connects a new one.
 */
export interface RedisClient {
  /** Ends at once; all that is under way fails. */
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  evalSha(sha1: string, options: Call): Promise<unknown>;
  eval(script: string, options: Call): Promise<unknown>;
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  sUnsubscribe(channel: string): Promise<unknown>;
}

/** A script's keys, all in one slot, and its arguments. */
export interface Call {
  readonly keys: string[];
  readonly arguments: string[];
}

/** A connected client. */
export interface Connected {
  readonly client: RedisClient;
  /** Host and port of what it is connected to: of a cluster, of each server that the settings name. */
  readonly server: string;
}
