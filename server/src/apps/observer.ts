/** A connection, as whoever watches is told of it. */
export interface Sitter {
  readonly socketId: string;
  /** The key that it connected with. */
  readonly key: string;
  /** Library and version that it named. */
  readonly client: string;
  readonly address: string;
}

/** What a client sent as its proof; nothing of it has been checked. */
export interface Evidence {
  readonly auth: unknown;
  /** `channel_data` or `user_data`. */
  readonly data: unknown;
}

/** Something that happened in an app. */
export type Sighting =
  | { readonly kind: 'connected'; readonly who: Sitter }
  | { readonly kind: 'disconnected'; readonly who: Sitter; readonly code: number; readonly reason: string }
  | { readonly kind: 'signedIn'; readonly who: Sitter; readonly userId: string }
  | {
      readonly kind: 'subscribed';
      readonly who: Sitter;
      readonly channel: string;
      readonly userId: string | undefined;
    }
  | { readonly kind: 'unsubscribed'; readonly who: Sitter; readonly channel: string }
  | {
      readonly kind: 'subscriptionRefused';
      readonly who: Sitter;
      readonly channel: string;
      readonly reason: string;
      readonly evidence: Evidence;
      /** Whether it was the signature that did not hold. */
      readonly unproven: boolean;
    }
  | {
      readonly kind: 'signInRefused';
      readonly who: Sitter;
      readonly reason: string;
      readonly evidence: Evidence;
      readonly unproven: boolean;
    }
  | { readonly kind: 'messageRefused'; readonly who: Sitter; readonly reason: string }
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
export interface Witness {
  saw(sighting: Sighting): void;
}
