import { asObject } from '../connection/protocol.ts';
import { CountersignError, docsOf } from '../errors.ts';

/** Why a subscription was refused or ended; data of `pusher:subscription_error`. The connection stays open. */
export interface SubscriptionError {
  /**
   * `EndpointError` if the app's endpoint gave no grant. Of the broker: `AuthError`, `GrantExpired`, `InvalidChannel`,
   * `InvalidChannelData`, `LimitReached` or `ServerError`. Or `TimeoutError`.
   */
  readonly type: string;
  /** HTTP status of the app's endpoint, or the broker's status; 0 if there was no response. */
  readonly status: number;
  readonly message: string;
  /** The same as `message`, under the name that other Channels clients use. */
  readonly error: string;
  /** A stable name of the reason: of the broker, such as `grant_expired`, or of an endpoint's failure, such as `endpoint_refused`. */
  readonly code?: string;
  /** The app's endpoint that failed, without its query. */
  readonly url?: string;
  /** The first characters of what it responded. */
  readonly body?: string;
  /** Where the documentation explains it. */
  readonly docs: string;
  /** Present if a renewal failed: the channel stays subscribed until its grant ends. */
  readonly renewal?: true;
  /** Milliseconds until the client asks again by itself. Absent if the refusal is final. */
  readonly retryIn?: number;
}

/** Completes the broker's refusal, or an endpoint's, with all fields of {@link SubscriptionError}. */
export function subscriptionError(refusal: unknown): SubscriptionError {
  const fields = asObject(refusal) ?? {};
  const { type = 'ServerError', status = 0, error = 'Refused', renewal } = fields;
  const texts: { code?: string; url?: string; body?: string } = {};
  for (const name of ['code', 'url', 'body'] as const)
    if (fields[name] !== undefined) texts[name] = String(fields[name]);
  return {
    type: String(type),
    status: Number(status),
    error: String(error),
    message: String(error),
    ...texts,
    docs: docsOf(texts.code ?? `${type}-${status}`.toLowerCase()),
    ...(renewal === true && { renewal }),
  };
}

/** The final refusal of a subscription, as an error that can be thrown. */
export function errorOf(refusal: SubscriptionError): CountersignError {
  const { type, message, status, code: reason } = refusal;
  const code = type === 'EndpointError' ? 'auth_failed' : 'subscription_refused';
  return new CountersignError(code, message, status, undefined, refusal, { ...refusal, reason });
}
