import { asObject } from './protocol.ts';

/** Why a subscription was refused or ended; data of `pusher:subscription_error`. The connection stays open. */
export interface SubscriptionError {
  /** `AuthError`, `GrantExpired`, `InvalidChannel`, `InvalidChannelData`, `LimitReached`, `ServerError`, or `TimeoutError`. */
  readonly type: string;
  /** HTTP status of the app's endpoint, or the broker's status; 0 if there was no response. */
  readonly status: number;
  readonly message: string;
  /** The same as `message`, under the name that other Channels clients use. */
  readonly error: string;
  /** The broker's stable name of the reason, such as `grant_expired` or `grant_revoked`. */
  readonly code?: string;
  /** Present if a renewal failed: the channel stays subscribed until its grant ends. */
  readonly renewal?: true;
  /** Milliseconds until the client asks again by itself. Absent if the refusal is final. */
  readonly retryIn?: number;
}

/** Completes the broker's refusal with all fields of {@link SubscriptionError}. */
export function subscriptionError(refusal: unknown): SubscriptionError {
  const { type = 'ServerError', status = 0, error = 'Refused', code, renewal } = asObject(refusal) ?? {};
  return {
    type: String(type),
    status: Number(status),
    error: String(error),
    message: String(error),
    ...(code !== undefined && { code: String(code) }),
    ...(renewal === true && { renewal }),
  };
}
