/** What the broker answers about users and what they hold. */

export interface UserConnection {
  readonly socket_id: string;
  readonly age_seconds: number;
  readonly client: string;
  readonly address: string;
  readonly channels: readonly string[];
}

export interface UserView {
  readonly id: string;
  readonly connections: readonly UserConnection[];
}

export interface HeldSubscription {
  readonly socket_id: string;
  readonly channel: string;
  readonly grant: {
    readonly id: string | null;
    readonly key: string | null;
    /** Unix seconds; null if it does not end. */
    readonly expires_at: number | null;
    readonly may: readonly string[];
  };
}

/** What was taken back. */
export interface Revoked {
  readonly ended: { readonly subscriptions: number; readonly connections: number };
  readonly nodes: { readonly acknowledged: number; readonly total: number };
  readonly took_ms: number;
}

export interface Revocation {
  readonly id: string;
  readonly reason: string;
  /** Unix seconds; null if it blocks nobody. */
  readonly blocked_until: number | null;
}
