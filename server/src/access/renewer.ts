import type { App } from '../apps/app.ts';

/** A right of one connection that is about to end: to be in a channel, or to be a user. */
export interface EndingRight {
  readonly app: App;
  /** Whether it was replaced, given up or taken away in the meantime. */
  readonly isOver: boolean;
  /** Monotonic milliseconds until which the backend is asked. */
  readonly askedUntil: number;
  /** What the backend is told of it. */
  describe(): RightDescription;
  /**
   * Replaces the right by one that the backend has signed.
   *
   * @throws Refusal or SubscriptionRefusal if a client that sends the proof would be refused
   */
  renew(proof: RenewalProof): Promise<void>;
  /** The backend refused to renew it. */
  refuse(reason: string): void;
}

/** What a backend is told of a right: the fields of its request. Sign-ins have no channel. */
export interface RightDescription {
  readonly socket_id: string;
  readonly channel?: string;
  readonly user_id: string | null;
  readonly grant_id: string | null;
  /** Unix seconds; null if it has no end. */
  readonly expires_at: number | null;
  /** As it was signed. */
  readonly channel_data?: string | null;
  /** As it was signed. */
  readonly user_data?: string;
}

/** What a backend signed. */
export interface RenewalProof {
  readonly auth: string;
  /** `channel_data` or `user_data`. */
  readonly data: string | undefined;
}

/** Asks backends about rights that are about to end. */
export interface Renewer {
  /** Asks, and asks again while there is no valid answer, until the right is renewed, refused or past. */
  ask(right: EndingRight): void;
}
