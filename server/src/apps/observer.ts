/** A connection, as whoever watches is told of it. */
export interface ClientInfo {
  readonly socketId: string;
  /** The key that it connected with. */
  readonly key: string;
  /** Library and version that it named. */
  readonly client: string;
  readonly address: string;
}

/** What a client sent as its proof; nothing of it has been checked. */
export interface ClaimedProof {
  readonly auth: unknown;
  /** `channel_data` or `user_data`. */
  readonly data: unknown;
}

/** Something that happened in an app. */
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
      readonly reason: string;
      readonly evidence: ClaimedProof;
      /** Whether it was the signature that did not hold. */
      readonly unproven: boolean;
    }
  | {
      readonly kind: 'signInRefused';
      readonly who: ClientInfo;
      readonly reason: string;
      readonly evidence: ClaimedProof;
      readonly unproven: boolean;
    }
  | { readonly kind: 'messageRefused'; readonly who: ClientInfo; readonly reason: string }
  | {
      readonly kind: 'requestRefused';
      readonly method: string;
      /** Without the query, which holds the signature. */
      readonly path: string;
      readonly status: number;
      readonly reason: string;
    }
  | {
      readonly kind: 'published';
      readonly channel: string;
      readonly name: string;
      readonly data: string;
      /** The socket id of the client that sent it, if a client did. */
      readonly sender: string | undefined;
    };

/** Is told what happens in an app, for people who watch. An app has one only while somebody does. */
export interface AppObserver {
  observe(sighting: AppEvent): void;
}
