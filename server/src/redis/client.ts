/**
 * What the broker needs of a client, alike for one server, a cluster and the master that sentinels name. The client fails
 * as a whole, once: the listener of `error` destroys it and connects a new one.
 */
export interface RedisClient {
  /** Closes at once; all calls in progress fail. */
  destroy(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  evalSha(sha1: string, options: Call): Promise<unknown>;
  eval(script: string, options: Call): Promise<unknown>;
  sSubscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  sUnsubscribe(channel: string): Promise<unknown>;
}

/** The keys of a script, all in one slot, and its arguments. */
export interface Call {
  readonly keys: string[];
  readonly arguments: string[];
}

/** A connected client. */
export interface Connected {
  readonly client: RedisClient;
  /** Host and port of the server; for a cluster, those of each server that the settings name. */
  readonly server: string;
}
