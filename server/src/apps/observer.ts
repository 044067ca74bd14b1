import type { ErrorCode } from '../error-codes.ts';
import type { RefusedPart } from '../errors.ts';

/** A connection, as observers see it. */
export interface ClientInfo {
  readonly socketId: string;
  /** The key that it connected with. */
  readonly key: string;
  /** The client library and its version. */
  readonly client: string;
  readonly address: string;
}

/** The proof that a client sent, unchecked. */
export interface ClaimedProof {
  readonly auth: unknown;
  /** `channel_data` or `user_data`. */
  readonly data: unknown;
}

/** An event in an app, for observers. */
export type AppEvent =
  | { readonly kind: 'connected'; readonly who: ClientInfo }
  | {
      readonly kind: 'disconnected';
      readonly who: ClientInfo;
      readonly code: number;
      readonly reason: string;
    }
  | { readonly kind: 'signedIn'; readonly who: ClientInfo; readonly userId: string }
  | {
      readonly kind: 'subscribed';
      readonly who: ClientInfo;
      readonly channel: string;
      readonly userId: string | undefined;
    }
  | { readonly kind: 'unsubscribed'; readonly who: ClientInfo; readonly channel: string }
  | {
      readonly kind: 'subscriptionRefused';
      readonly who: ClientInfo;
      readonly channel: string;
      readonly errorCode: ErrorCode;
      readonly reason: string;
      readonly evidence: ClaimedProof;
      /** Whether the signature was not valid. */
      readonly unproven: boolean;
      readonly part: RefusedPart;
    }
  | {
      readonly kind: 'signInRefused';
      readonly who: ClientInfo;
      readonly errorCode: ErrorCode;
      readonly reason: string;
      readonly evidence: ClaimedProof;
      readonly unproven: boolean;
      readonly part: RefusedPart;
    }
  | {
      readonly kind: 'messageRefused';
      readonly who: ClientInfo;
      readonly errorCode: ErrorCode;
      readonly reason: string;
    }
  | {
      readonly kind: 'requestRefused';
      readonly method: string;
      /** Without the query, which holds the signature. */
      readonly path: string;
      readonly status: number;
      readonly errorCode: ErrorCode;
      readonly reason: string;
      readonly part: RefusedPart;
    }
  | {
      readonly kind: 'published';
      readonly channel: string;
      readonly name: string;
      readonly data: string;
      /** The socket id of the client that sent it, if a client did. */
      readonly sender: string | undefined;
      /** The socket id of the connection that does not receive it. */
      readonly except: string | undefined;
    };

/** Receives the events of an app, for the console. An app has an observer only while somebody watches. */
export interface AppObserver {
  observe(event: AppEvent): void;
}
