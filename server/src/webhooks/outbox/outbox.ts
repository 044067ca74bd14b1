import type { Hook, HookKey } from '../../apps/hook.ts';
import type { WebhookEvent } from '../event.ts';

/**
 * Stores webhook events and deliveries until they have arrived. What is committed is not lost; `epoch` says whether
 * that includes the end of the process.
 */
export interface Outbox {
  /** Identifies the period in which `seq` counts, if that ends with the process; `undefined` if it does not. */
  readonly epoch: string | undefined;
  readonly deliveries: Deliveries;
  /** Sets the listener; called once, before anything else. */
  attach(listener: OutboxListener): void;
  /** Bytes of an app that count towards the bounds. */
  bytesOf(appId: string): KeptBytes;
  /** What was announced to receivers as present when the outbox was opened. */
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
   * Forgets some of what is too old; called periodically.
   *
   * @param before Unix milliseconds
   * @param hooks those that stand: what others still had to deliver is forgotten, too
   */
  sweep(before: number, hooks: ReadonlySet<HookKey>): Promise<void>;
  /** Forgets all of an app, which is gone. Left out where nobody can remove an app. */
  forgetApp?(appId: string): Promise<void> | void;
  /** Commits what is under way, and ends. */
  close(): Promise<void>;
}

/** How much an outbox keeps. The oldest is dropped for the newest. */
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

/** How much is kept: deliveries by hook, bytes by app. */
export interface Amounts {
  readonly counts: ReadonlyMap<HookKey, Readonly<Record<DeliveryState, number>>>;
  readonly bytes: ReadonlyMap<string, KeptBytes>;
}

export interface OutboxListener {
  /** A lane has one more delivery, which waits until `dueAt`, in Unix milliseconds, for others to join it. */
  appended(hook: HookKey, lane: string, dueAt: number): void;
  /** So many deliveries exceeded the bounds and have become dead letters. */
  overflowed(hook: HookKey, count: number): void;
  /** Events or dead letters exceeded the bounds, so the oldest were dropped before their time. */
  dropped(appId: string, what: Forgotten, count: number): void;
  /** There may be deliveries that the listener was not told about. */
  reopened(): void;
}

export type Forgotten = 'dead_letter' | 'event';

/** Bytes of waiting deliveries, of dead letters, and of events in the log. */
export type KeptBytes = Readonly<Record<'delivery' | Forgotten, number>>;

/** One event for receivers, and the change of the ledger that goes with it. */
export interface Change {
  readonly appId: string;
  /** What happened; `undefined` if only the ledger changes. */
  readonly event: WebhookEvent | undefined;
  /** The channel or user among whose events the order is kept. Lanes do not wait for each other. */
  readonly lane: string;
  /** The hooks that get the event. */
  readonly hooks: readonly Target[];
  /** What has arrived or left, as announced to receivers. */
  readonly ledger?: { readonly told: Announced; readonly is: 'there' | 'gone' };
}

/** What an outbox must know about a hook. */
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
  /** The delivery has arrived, and is forgotten. */
  acknowledge(delivery: Dispatched): Promise<void>;
  /** The attempt failed; the next one is at `dueAt`, in Unix milliseconds. */
  fail(delivery: Dispatched, attempt: Attempt, dueAt: number): Promise<void>;
  /** The last attempt failed: the delivery becomes a dead letter. */
  park(delivery: Dispatched, attempt: Attempt): Promise<void>;
  /** Deliveries in one state, the oldest first, those with a higher `n` than `after` only. */
  list(hook: HookKey, state: DeliveryState, after: number, limit: number): Promise<readonly Delivery[]>;
  /** Makes deliveries, dead ones too, wait again for their first attempt, due at once. @returns how many */
  retry(hook: HookKey, which: Which): Promise<number>;
  /** Forgets deliveries. @returns how many */
  skip(hook: HookKey, which: Which): Promise<number>;
}

/**
 * `pending`: not tried yet; `failing`: no attempt succeeded so far; `dead`: given up, or dropped because too many
 * waited.
 */
export type DeliveryState = 'pending' | 'failing' | 'dead';

export interface Lane {
  readonly name: string;
  /** When its first delivery is due, in Unix milliseconds. */
  readonly dueAt: number;
}

/** Some events of one lane, on their way to one hook. */
export interface Delivery {
  /** The number of the delivery; earlier ones have lower numbers. */
  readonly n: number;
  /** The `webhook-id`: the same in all attempts, and never used for other events. */
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

/** What identifies a delivery that was sent, and its earlier attempts. */
export type Dispatched = Pick<Delivery, 'n' | 'hook' | 'attempts'>;

/** One failed attempt. */
export interface Attempt {
  /** Unix milliseconds. */
  readonly at: number;
  /** The status of the answer; `null` if there was none. */
  readonly status: number | null;
  /** The beginning of the answer, or the reason why there was none. */
  readonly answer: string;
}

export const MAX_ATTEMPTS_KEPT = 20;

/** Deliveries by their ids, or all in one state. */
export type Which = { readonly ids: readonly string[] } | { readonly state: DeliveryState };

/** Characters of all events in one delivery; many receivers accept at most a megabyte. */
const MAX_JOINED_LENGTH = 262_144;

/**
 * The first deliveries of a lane that are joined into one: up to `maxEvents` events, and none that was tried before.
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

/** The id of a delivery. The same number and size mean the same events. */
export function deliveryIdOf(outboxId: string, n: number, size: number): string {
  return `msg_${outboxId}_${n}_${size}`;
}

/** The number in a delivery's id; `undefined` if the delivery is not of this outbox. */
export function numberOfDelivery(outboxId: string, id: string): number | undefined {
  const [prefix, outbox, n, size, ...rest] = id.split('_');
  const isOurs = prefix === 'msg' && outbox === outboxId && size !== undefined && rest.length === 0;
  return isOurs && /^\d{1,15}$/.test(n ?? '') ? Number(n) : undefined;
}
