/** Every code that the broker closes a connection with or puts into `pusher:error`: docs/errors.md has a heading for each. */
export const codes = {
  tlsRequired: 4000,
  appNotFound: 4001,
  appDisabled: 4003,
  overQuota: 4004,
  pathNotFound: 4005,
  invalidVersion: 4006,
  unsupportedProtocol: 4007,
  noProtocol: 4008,
  unauthorized: 4009,
  overCapacity: 4100,
  reconnect: 4200,
  pongNotReceived: 4201,
  clientEventRate: 4301,
  watchlistLimit: 4302,
} as const;

export type Code = (typeof codes)[keyof typeof codes];

/** The broker says no to one message and the connection stays: `pusher:error`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /** @param code null where the protocol has no code for the case */
  constructor(
    readonly code: Code | null,
    message: string,
  ) {
    super(message);
  }
}

/** Kinds of {@link SubscriptionRefusal}, as clients receive them. */
export type SubscriptionRefusalType =
  | 'AuthError'
  | 'InvalidChannel'
  | 'InvalidChannelData'
  | 'LimitReached'
  | 'ServerError';

/** The broker says no to one subscription and the connection stays: `pusher:subscription_error`. */
export class SubscriptionRefusal extends Error {
  override readonly name = 'SubscriptionRefusal';

  /** @param explanation what would have been right, told to the client only if its app has `explainRefusals` */
  constructor(
    readonly type: SubscriptionRefusalType,
    readonly status: number,
    message: string,
    readonly explanation?: string,
  ) {
    super(message);
  }
}

/** A subscription was ended by the application, and this connection may not have it again. */
export class Eviction extends SubscriptionRefusal {
  constructor(reason: string) {
    super('AuthError', 403, reason);
  }
}

/** Ends a connection: 40xx do not come back, 41xx back off, 42xx come back at once. */
export class Disconnect extends Error {
  override readonly name = 'Disconnect';

  constructor(
    readonly code: Code | 1003 | 1008,
    readonly reason: string,
  ) {
    super(reason);
  }
}

/** The HTTP API says no. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  /** @param message what to change, for the developer who reads the answer */
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** What the nodes share cannot be reached now, and nothing was changed. */
export class Unavailable extends Error {
  override readonly name: string = 'Unavailable';
}

/** What the nodes share was asked for a change, and there is no telling whether it was made, or it was made in part. */
export class InDoubt extends Unavailable {
  override readonly name = 'InDoubt';
}

/** How a failure is logged: whoever lost sight of what nodes share has said so already, and each thing that fails of it is no news. */
export function severityOf(error: unknown): 'error' | 'debug' {
  return error instanceof Unavailable ? 'debug' : 'error';
}
