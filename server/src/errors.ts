import type { ErrorCode } from './error-codes.ts';

/** Every close code and `pusher:error` code of the broker. docs/errors.md has a heading for each. */
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

/** What exactly was refused, for logs and the console. */
export interface RefusedPart {
  /** The claim that is unknown, has a wrong form, or does not fit. */
  readonly claim?: string | undefined;
  /** The scope that the key lacks. */
  readonly scope?: string | undefined;
}

/** The broker refuses one message, and the connection stays open: `pusher:error`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /** @param code null if the protocol has no code for the case */
  constructor(
    readonly code: Code | null,
    readonly errorCode: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Kinds of {@link SubscriptionRefusal}, as clients receive them. */
export type SubscriptionRefusalType =
  | 'AuthError'
  | 'GrantExpired'
  | 'InvalidChannel'
  | 'InvalidChannelData'
  | 'LimitReached'
  | 'ServerError';

/** The broker refuses or ends one subscription, and the connection stays open: `pusher:subscription_error`. */
export class SubscriptionRefusal extends Error {
  override readonly name = 'SubscriptionRefusal';

  /** @param explanation the text that should have been signed; clients get it only if their app has `explainRefusals` */
  constructor(
    readonly type: SubscriptionRefusalType,
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    readonly explanation?: string,
    readonly part: RefusedPart = {},
  ) {
    super(message);
  }
}

/** Closes a connection. After 40xx clients do not reconnect, after 41xx they back off, after 42xx they reconnect at once. */
export class Disconnect extends Error {
  override readonly name = 'Disconnect';

  constructor(
    readonly code: Code | 1002 | 1003 | 1007 | 1008 | 1009,
    readonly errorCode: ErrorCode,
    readonly reason: string,
  ) {
    super(reason);
  }
}

/** The HTTP API refuses a request. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  /** @param message tells the developer what to change */
  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
    readonly part: RefusedPart = {},
  ) {
    super(message);
  }
}

/** The shared state cannot be reached, and nothing was changed. */
export class Unavailable extends Error {
  override readonly name: string = 'Unavailable';
}

/** A change of the shared state may have been made, or was made in part. */
export class InDoubt extends Unavailable {
  override readonly name = 'InDoubt';
}

/** The log level of a failure. An outage of the shared state is logged once, so each failure that it causes is only `debug`. */
export function severityOf(error: unknown): 'error' | 'debug' {
  return error instanceof Unavailable ? 'debug' : 'error';
}
