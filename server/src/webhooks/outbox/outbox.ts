import type { Hook, HookKey } from '../../apps/hook.ts';
import type { WebhookEvent } from '../event.ts';

/**
 * Keeps what backends are to be told until they were told. What it has committed it does not lose; whether that
 * holds beyond the end of the process is told by `epoch`.
 */
export interface Outbox {
  /** Names the time in which `seq` counts, where that ends with the process; `undefined` where nothing ends with it. */
  readonly epoch: string | undefined;
  readonly deliveries: Deliveries;
  /** Hands in who wants to know what there is to deliver; called once, before anything else. */
  attach(listener: OutboxListener): void;
  /** What receivers had been told is there when the outbox was opened. */
  told(): readonly Announced[];
  /**
   * Commits changes, all or none, in the order of the calls.
   *
   * @returns a promise for the moment from which on nothing of them is lost
   */
  append(changes: readonly Change[]): Promise<void>;
  /** Committed events of an app that are still kept, in the order of their `seq`. */
  events(appId: string, afterSeq: number, limit: number): Promise<EventPage>;
  stateOf(hook: HookKey): HookState;
  setState(hook: HookKey, state: HookState): Promise<void>;
  /**
   * Forgets a part of what is too old, to be called again and again.
   *
   * @param before Unix milliseconds
   * @param hooks those that stand: what others still had to deliver is forgotten, too
   */
  sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void>;
  /** Commits what is under way, and ends. */
  close(): Promise<void>;
}

/** How much an outbox keeps. What is the oldest gives way to what is new. */
export interface OutboxBounds {
  /** Deliveries of one hook that may wait, and as many dead letters. */
  readonly maxPending: number;
  /** Events of one app in the log. */
  readonly maxLogEvents: number;
  /** Bytes of one app that may wait, as many of dead letters, and as many in the log. */
  readonly maxBytes: number;
  /** The same of all apps together. */
  readonly maxTotalBytes: number;
}

export interface OutboxListener {
  /** There is one more delivery in a lane; before `dueAt`, in Unix milliseconds, it waits for others to join it. */
  appended(hook: HookKey, lane: string, dueAt: number): void;
  /** So many deliveries were too many to wait, and have become dead letters. */
  overflowed(hook: HookKey, count: number): void;
  /** There was too much of what is kept to be looked at, so the oldest had to go before its time. */
  dropped(appId: string, what: Forgotten, count: number): void;
  /** There may be deliveries of which it was not told. */
  reopened(): void;
}

export type Forgotten = 'dead_letter' | 'event';

/** One step of what receivers are told. */
export interface Change {
  readonly appId: string;
  /** What happened; `undefined` if only the ledger changes. */
  readonly event: WebhookEvent | undefined;
  /** What the event has to keep its place among: a channel, or a user. Lanes do not wait for each other. */
  readonly lane: string;
  /** Who is told. */
  readonly hooks: readonly Target[];
  /** What has come or gone, as receivers are told. */
  readonly ledger?: { readonly told: Announced; readonly is: 'there' | 'gone' };
}

/** What an outbox has to know of a hook. */
export type Target = Pick<Hook, 'key' | 'maxDelayMs'>;

/** An occupied channel, a member of a presence channel, or a user who is online. */
export interface Announced {
  readonly appId: string;
  /** Empty for a user who is online. */
  readonly channel: string;
  /** Empty for an occupied channel. */
  readonly userId: string;
}

export interface EventPage {
  /** Each as JSON. */
  readonly events: readonly string[];
  /** The `seq` of the app's latest event, kept or not; 0 if there was none. */
  readonly lastSeq: number;
}

/** Paused by the app's backend, or disabled by the receiver's 410; either way it keeps what it has to deliver. */
export type HookState = 'active' | 'paused' | 'disabled';

/** Deliveries of all hooks: waiting ones in lanes, whose order they keep, and dead letters. */
export interface Deliveries {
  counts(hook: HookKey): Readonly<Record<DeliveryState, number>>;
  /** Lanes in which something waits. */
  lanes(hook: HookKey): Promise<readonly Lane[]>;
  /**
   * The first waiting delivery of a lane. Those behind it join it, up to `maxEvents` events, unless it has been
   * tried already.
   */
  head(hook: HookKey, lane: string, maxEvents: number): Promise<Delivery | undefined>;
  /** It has arrived: it is forgotten. */
  acknowledge(delivery: Dispatched): Promise<void>;
  /** It has not arrived, and is tried again at `dueAt`, in Unix milliseconds. */
  fail(delivery: Dispatched, attempt: Attempt, dueAt: number): Promise<void>;
  /** It has not arrived, and becomes a dead letter. */
  park(delivery: Dispatched, attempt: Attempt): Promise<void>;
  /** Deliveries in one state, the oldest first, those with a higher `n` than `after` only. */
  list(hook: HookKey, state: DeliveryState, after: number, limit: number): Promise<readonly Delivery[]>;
  /** Makes deliveries, dead ones too, wait again for their first attempt, due at once. @returns how many */
  retry(hook: HookKey, which: Which): Promise<number>;
  /** Forgets deliveries. @returns how many */
  skip(hook: HookKey, which: Which): Promise<number>;
}

/** `pending`: not tried yet; `failing`: tried in vain so far; `dead`: tried in vain for too long, or too many waited. */
export type DeliveryState = 'pending' | 'failing' | 'dead';

export interface Lane {
  readonly name: string;
  /** When its first delivery is due, in Unix milliseconds. */
  readonly dueAt: number;
}

/** Some events of one lane, on their way to one hook. */
export interface Delivery {
  /** Deliveries are counted; an earlier one has a lower number. */
  readonly n: number;
  /** The same in all attempts, and never that of other events: it is the `webhook-id`. */
  readonly id: string;
  readonly hook: HookKey;
  readonly lane: string;
  readonly state: DeliveryState;
  /** Unix milliseconds at which its first event was committed. */
  readonly committedAt: number;
  readonly dueAt: number;
  /** How many events there are. */
  readonly size: number;
  /** The events, each as JSON, divided by commas. */
  readonly events: string;
  /** Attempts that count towards giving up. */
  readonly tries: number;
  /** Unix milliseconds of the first of them. */
  readonly triedSince: number | undefined;
  /** The last attempts, at most {@link MAX_ATTEMPTS_KEPT}. */
  readonly attempts: readonly Attempt[];
}

/** What is known of a delivery when it was sent: which one it is, and what was tried before. */
export type Dispatched = Pick<Delivery, 'n' | 'hook' | 'attempts'>;

/** One request that did not bring a delivery to its end. */
export interface Attempt {
  /** Unix milliseconds. */
  readonly at: number;
  /** Of the answer; `null` if there was none. */
  readonly status: number | null;
  /** The beginning of the answer, or why there was none. */
  readonly answer: string;
}

export const MAX_ATTEMPTS_KEPT = 20;

/** Deliveries by their ids, or all in one state. */
export type Which = { readonly ids: readonly string[] } | { readonly state: DeliveryState };

/** Characters of events that join in one delivery; receivers of webhooks take a megabyte and no more. */
const MAX_JOINED_LENGTH = 262_144;

/**
 * Those of a lane's first deliveries that become one: up to a number of events, and none that was tried already, also
 * before a retry.
 */
export function joining<Item extends Pick<Delivery, 'size' | 'events'>>(
  deliveries: readonly Item[],
  wasTried: (delivery: Item) => boolean,
): readonly Item[] {
  let length = 0;
  const end = deliveries.findIndex((delivery) => {
    length += delivery.events.length;
    return delivery.size > 1 || wasTried(delivery) || length > MAX_JOINED_LENGTH;
  });
  return end < 0 ? deliveries : deliveries.slice(0, end);
}

/** Names a delivery. What has the same number and as many events has the same events. */
export function deliveryIdOf(outboxId: string, n: number, size: number): string {
  return `msg_${outboxId}_${n}_${size}`;
}

/** The number in a delivery's id; `undefined` if it is none of this outbox. */
export function numberOfDelivery(outboxId: string, id: string): number | undefined {
  const [prefix, outbox, n, size, ...rest] = id.split('_');
  const isOurs = prefix === 'msg' && outbox === outboxId && size !== undefined && rest.length === 0;
  return isOurs && /^\d{1,15}$/.test(n ?? '') ? Number(n) : undefined;
}
