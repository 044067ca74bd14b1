import type { Member } from '../protocol/frames.ts';
import type { Blocks } from './blocks.ts';
import type { Journal } from './journal.ts';
import type { Topic } from './topic.ts';

/**
 * What all nodes share. Memory answers at once and other adapters after a while, so every capability answers
 * with a promise, and the same contract suite holds for each of them.
 */
export interface Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly channelCache: ChannelCache;
  readonly counters: Counters;
  readonly blocks: Blocks;
  /** Why it cannot do its work at present; `undefined`: it can. */
  readonly fault?: string | undefined;
  /** Hands in who receives, and who takes down what happens; called once, before anything else. */
  attach(listener: AdapterListener, journal: Journal): void;
  /** Ends all timers and connections of the adapter. */
  close(): Promise<void>;
}

/**
 * A topic has one version, which each change of its roster and each kept event raises. Whoever joins gets a
 * snapshot with its version, and drops what it later receives with the same or a lower one: so nobody sees a
 * member or a kept event twice, or never.
 */
export type Version = number;

/** What travels from one node to all that listen to a topic, in the same order to each. */
export type Message =
  | EventMessage
  | {
      readonly kind: 'memberAdded';
      readonly topic: Topic;
      readonly version: Version;
      readonly member: Member;
    }
  | {
      readonly kind: 'memberRemoved';
      readonly topic: Topic;
      readonly version: Version;
      readonly userId: string;
    }
  | { readonly kind: 'count'; readonly topic: Topic; readonly version: Version; readonly count: number }
  | { readonly kind: 'userOnline' | 'userOffline'; readonly topic: Topic; readonly version: Version }
  | {
      readonly kind: 'evicted';
      readonly topic: Topic;
      readonly version: Version;
      readonly who: Evicted;
      readonly reason: string;
    };

export interface EventMessage {
  readonly kind: 'event';
  readonly topic: Topic;
  readonly name: string;
  readonly data: string;
  /** The member who sent it, for a client event in a presence channel. */
  readonly userId?: string | undefined;
  /** The socket id of the one connection that is left out. */
  readonly except?: string | undefined;
  /** The socket id of the client that sent it, if a client did. */
  readonly sender?: string | undefined;
  /** Set by the bus on an event that is kept. */
  readonly version?: Version;
}

/** What is said to every node. */
export type Command =
  | {
      readonly kind: 'terminateUser';
      readonly appId: string;
      readonly userId: string;
      readonly reason: string;
    }
  /** Somebody watches an app, and one of its channels closely. */
  | { readonly kind: 'watch'; readonly appId: string; readonly channel: string | undefined };

/** What a node may not have heard of, because it was cut off for longer than the others keep what they say. */
export type Missed =
  | {
      readonly kind: 'messages';
      readonly topic: Topic;
      /** Up to this version something may be missing. */
      readonly version: Version;
      /** The version of the last eviction, if one may be missing. */
      readonly evicted?: Version | undefined;
    }
  | { readonly kind: 'terminations' };

export interface BusListener {
  deliver(message: Message): void;
  obey(command: Command): void;
  /** Sees to it that nobody goes on with what is out of date; called again after a while if it rejects. */
  missed(missed: Missed): Promise<void>;
}

export interface AdapterListener extends BusListener {
  /** Seats of a node that is gone were taken away, and of all nodes this one tells how many are left. */
  lapsed(topic: Topic, left: Pick<Counts, 'subscriptions' | 'version'>): void;
}

/** Carries messages to the nodes. Calls that name the same topic take effect in the order in which they were made. */
export interface Bus {
  /** From the moment it resolves on, messages of the topic arrive. */
  listen(topic: Topic): Promise<void>;
  ignore(topic: Topic): Promise<void>;
  /** @param keepSeconds if given, the event is also kept as the topic's last one, in the same step */
  publish(message: EventMessage, keepSeconds?: number): Promise<void>;
  /** Tells all subscribers how many they are. */
  publishCount(topic: Topic, count: number, version: Version): Promise<void>;
  command(command: Command): Promise<void>;
}

/** One connection, as the roster knows it. */
export interface Seat {
  readonly socketId: string;
  /** Unix milliseconds at which it connected. */
  readonly since: number;
  /** Library and version that it named, such as `js/8.6.0`. */
  readonly client: string;
  readonly address: string;
}

export interface JoinOptions {
  /** Who joins, in a presence channel. */
  readonly member?: Member | undefined;
  /** Distinct users after which nobody new is admitted. */
  readonly maxMembers?: number | undefined;
  /** It needs no answer now: where the others cannot be reached, it joins as soon as they can. */
  readonly mayBeLate?: boolean | undefined;
}

/** A topic as it stands. */
export interface Snapshot {
  readonly version: Version;
  readonly subscriptions: number;
  readonly members: readonly Member[];
  /** The kept event, if there is one. */
  readonly last: KeptEvent | undefined;
}

/** What one join changed, and the topic as it stood right after. The members are there if a member joined. */
export interface Joined extends Snapshot {
  /** This was the first one. */
  readonly occupied: boolean;
  /** This was the first one of its user. */
  readonly memberAdded: boolean;
}

export type LeaveReason = 'unsubscribed' | 'disconnected';

/** What one leave changed. */
export interface Left {
  readonly version: Version;
  readonly subscriptions: number;
  /** This was the last one. */
  readonly vacated: boolean;
  /** The user whose last one this was. */
  readonly memberRemoved: string | undefined;
}

export interface Counts {
  readonly subscriptions: number;
  readonly members: number;
  /** The topic's version when it was counted. */
  readonly version: Version;
}

/** A connection of a signed-in user, and the channels that it is in. */
export interface SeatedConnection {
  readonly seat: Seat;
  readonly channels: readonly string[];
}

/** Whose subscriptions end: one connection's, or all of a member or signed-in user. */
export type Evicted = { readonly socketId: string } | { readonly userId: string };

/**
 * Who sits where. A change is decided in one step and answers what it changed; the difference that others must
 * know (`memberAdded`, `memberRemoved`) goes out on the bus in that step, so that differences arrive in order.
 */
export interface Roster {
  /**
   * Joins, or answers `full`. To join again changes nothing and answers the present state. Who is `late` joins in a
   * while; then the listener is told that it has missed what happened up to there.
   */
  join(topic: Topic, seat: Seat, options?: JoinOptions): Promise<Joined | 'full' | 'queued'>;
  /**
   * Leaves; `undefined` if it had not joined.
   *
   * @param reason a {@link LeaveReason}, or why the application ended it
   */
  leave(topic: Topic, socketId: string, reason?: string): Promise<Left | undefined>;
  /**
   * Takes seats away; the nodes hear of it on the bus, in the same step, also those that were cut off and whose seats
   * were taken away before.
   *
   * @returns how many seats there were to take
   */
  evict(topic: Topic, who: Evicted, reason: string): Promise<number>;
  snapshot(topic: Topic): Promise<Snapshot>;
  counts(topic: Topic): Promise<Counts>;
  /** Occupied channels of an app whose names begin with `prefix`. */
  channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>>;
  /** Ids of signed-in users in their order, those after `after` only. */
  users(appId: string, after: string, limit: number): Promise<readonly string[]>;
  /** All connections of a signed-in user. */
  connections(appId: string, userId: string): Promise<readonly SeatedConnection[]>;
}

export interface KeptEvent {
  readonly name: string;
  readonly data: string;
  readonly version: Version;
  /** Whole seconds until it is forgotten, at least 1. */
  readonly ttlSeconds: number;
}

/** What was published. */
export interface ChannelCache {
  /** The last kept event, while it lives. */
  last(topic: Topic): Promise<KeptEvent | undefined>;
}

/** How a window stands after more was counted. */
export interface Hit {
  readonly hits: number;
  /** Milliseconds until the window ends: a duration, since the clocks of nodes differ and can be set. */
  readonly leftMs: number;
}

/** Numbers that all nodes count together. */
export interface Counters {
  /** Counts more in the running window of `key`, one if nothing else is said. */
  hit(key: string, windowMs: number, by?: number): Promise<Hit>;
  /** Takes one of `limit` places, if one is free; with `Infinity` there always is one. */
  hold(key: string, limit: number): Promise<boolean>;
  release(key: string): Promise<void>;
}
