/** What the broker tells the console. Times are in Unix ms. */

export interface Session {
  readonly app: { readonly id: string; readonly name: string; readonly keys: readonly string[] };
  /** Where live data comes from. */
  readonly live: { readonly key: string; readonly channel: string };
  /** Whether somebody has signed in, and can sign out. */
  readonly signOut: boolean;
}

/** What one node has counted since it started. */
export interface Figures {
  readonly node: string;
  readonly at: number;
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly publishes: number;
  readonly refusals: number;
  readonly keys: readonly KeyFigures[];
}

/** What one key signed; without numbers if it signed nothing. */
export interface KeyFigures {
  readonly key: string;
  readonly channels?: number;
  readonly users?: number;
  readonly requests?: number;
  readonly lastHour?: number;
  readonly lastAt?: number;
}

export interface Diagnosis {
  readonly valid: boolean;
  readonly summary: string;
  readonly expected: string;
  readonly signed?: string;
  /** How much of the two texts is the same at the beginning and at the end. */
  readonly differs?: { readonly start: number; readonly end: number };
  readonly key?: string;
}

export type EntryKind =
  | 'connected'
  | 'disconnected'
  | 'signedIn'
  | 'subscribed'
  | 'unsubscribed'
  | 'subscriptionRefused'
  | 'signInRefused'
  | 'messageRefused'
  | 'requestRefused'
  | 'published';

/** One line of the event stream; which details it has is up to its kind. */
export interface Entry {
  readonly at: number;
  readonly kind: EntryKind;
  readonly socketId?: string;
  readonly key?: string;
  readonly client?: string;
  readonly address?: string;
  readonly userId?: string;
  readonly channel?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly diagnosis?: Diagnosis;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly name?: string;
  readonly data?: string;
  readonly sender?: string;
}

export interface Entries {
  readonly entries: readonly Entry[];
  /** How many more there were. */
  readonly dropped: number;
}

/** The subscribers that a channel has on one node. */
export interface Subscribers {
  readonly node: string;
  readonly channel: string;
  readonly total: number;
  readonly subscribers: readonly Subscriber[];
}

export interface Subscriber {
  readonly socketId: string;
  readonly since: number;
  readonly client: string;
  readonly address: string;
  readonly userId?: string;
}

export interface ChannelList {
  readonly total: number;
  readonly channels: readonly {
    readonly name: string;
    readonly kind: string;
    readonly subscriptions: number;
    readonly members: number;
  }[];
}

export interface ChannelState {
  readonly name: string;
  readonly kind: string;
  readonly cache: boolean;
  readonly subscriptions: number;
  readonly members: readonly { readonly id: string; readonly info?: unknown }[];
  readonly last?: { readonly name: string; readonly data: string; readonly ttlSeconds: number };
}

export const deliveryStates = ['pending', 'failing', 'dead'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly state: string;
  readonly deliveries: Readonly<Record<DeliveryState, number>>;
}

export interface Delivery {
  readonly id: string;
  readonly state: DeliveryState;
  readonly lane: string;
  readonly events: readonly { readonly name: string }[];
  readonly committed_at: number;
  readonly due_at?: number;
  readonly tries: number;
  readonly attempts: readonly Attempt[];
}

export interface Attempt {
  readonly at: number;
  /** Of the answer; `null` if there was none. */
  readonly status: number | null;
  /** The beginning of the answer, or why there was none. */
  readonly answer: string;
}
