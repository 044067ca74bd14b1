import type { HistoryRule } from '../apps/history-rule.ts';
import type { HistoryPage, HistoryQuery, LostCode, Position } from '../history/history.ts';
import type { LastPositions } from '../history/last-positions.ts';
import type { IdempotencyRecords, Once } from '../idempotency/records.ts';
import type { Member } from '../protocol/frames.ts';
import type { Range } from './figure-ranges.ts';
import type { Journal } from './journal.ts';
import type { KeptKeyUses } from './key-uses.ts';
import type { Nonces } from './nonces.ts';
import type { NodeAnswer, Nodes, Question } from './questions.ts';
import type { Revocations } from './revocations.ts';
import type { Topic } from './topic.ts';

/**
 * What all nodes share. Capabilities answer with promises, because memory answers at once and other adapters do not;
 * one contract suite holds for all adapters. Where most calls need no answer, `undefined` means a promise that has resolved.
 */
export interface Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly channelCache: ChannelCache;
  readonly history: History;
  readonly lastPositions: LastPositions;
  readonly idempotency: IdempotencyRecords;
  readonly counters: Counters;
  readonly nonces: Nonces;
  readonly keyUses: KeptKeyUses;
  readonly revocations: Revocations;
  readonly nodes: Nodes;
  /** Why the adapter cannot work at present; `undefined` if it can. */
  readonly fault?: string | undefined;
  /** Sets the receiver of messages and the journal of events; called once, before anything else. */
  attach(listener: AdapterListener, journal: Journal): void;
  /** Stops all timers and closes all connections of the adapter. */
  close(): Promise<void>;
}

/**
 * The version of a topic, which each change of its roster and each kept event raises. A subscriber that joins gets a
 * snapshot with its version, and drops messages with the same or a lower one, so that it sees each member and each kept
 * event exactly once.
 */
export type Version = number;

/** A message from one node to all nodes that listen to a topic; all receive messages in the same order. */
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
  | { readonly kind: 'userOnline' | 'userOffline'; readonly topic: Topic; readonly version: Version };

export interface EventMessage {
  readonly kind: 'event';
  readonly topic: Topic;
  readonly name: string;
  readonly data: string;
  /** The member that sent it, for a client event in a presence channel. */
  readonly userId?: string | undefined;
  /** The socket id of the one connection that does not receive it. */
  readonly except?: string | undefined;
  /** The socket id of the client that sent it, if a client did. */
  readonly sender?: string | undefined;
  /** The `traceparent` of what caused it. */
  readonly traceparent?: string | undefined;
  /** Set by the bus on an event that is kept. */
  readonly version?: Version | undefined;
  /** Set by the bus on an event of a history. */
  readonly position?: Position | undefined;
}

/** A message to every node: the console watches an app, and perhaps one of its channels closely. */
export type Command = {
  readonly kind: 'watch';
  readonly appId: string;
  readonly channel: string | undefined;
  /** Of a connection that it shows. */
  readonly socketId: string | undefined;
  /** Whose past it shows. */
  readonly range: Range | undefined;
};

/** What a node may have missed while it was cut off for longer than messages are logged. */
export type Missed =
  | {
      readonly kind: 'messages';
      readonly topic: Topic;
      /** The version up to which messages may be missing. */
      readonly version: Version;
    }
  | { readonly kind: 'revocations' };

export interface BusListener {
  deliver(message: Message): void;
  obey(command: Command): void;
  /** Answers a question to all nodes. A revocation has taken effect before this returns; its counts come later. */
  answer(question: Question): Promise<NodeAnswer>;
  /** Revocations were missed for good: everyone who holds a right must prove it again. */
  proveAgain(): void;
  /** Resyncs subscribers whose state may be outdated; called again later if it rejects. */
  missed(missed: Missed): Promise<void>;
}

export interface AdapterListener extends BusListener {
  /** Seats of a dead node were removed, and this one node must announce how many are left. */
  lapsed(topic: Topic, left: Pick<Counts, 'subscriptions' | 'version'>): void;
}

/** Where an event is kept. */
export interface Keep {
  /** As the last one of its topic, for so many seconds. */
  readonly lastSeconds?: number | undefined;
  /** In the history of its channel. */
  readonly history?: HistoryRule | undefined;
}

/** What became of an event that is published once. */
export interface PublishedOnce {
  /** As {@link Bus.publish} answers it. */
  readonly position: Position | undefined;
  /** It was not published before. */
  readonly isNew: boolean;
}

/** Carries messages to the nodes. Calls for the same topic take effect in the order in which they were made. */
export interface Bus {
  /** Messages of the topic arrive from the moment it resolves. */
  listen(topic: Topic): Promise<void>;
  ignore(topic: Topic): Promise<void>;
  /**
   * @param keep if given, the event is also kept, in the same step
   * @returns the position of the event in the history of its channel; `undefined` if it is published already and has none
   */
  publish(message: EventMessage, keep?: Keep): Promise<Position | undefined> | undefined;
  /**
   * Publishes an event, and records in the same step that it is published; an event that was published before is not.
   *
   * @returns what became of it, without a promise if that is known already
   */
  publishOnce(message: EventMessage, once: Once, keep?: Keep): Promise<PublishedOnce> | PublishedOnce;
  /** Announces the number of subscriptions to all subscribers. */
  publishCount(topic: Topic, count: number, version: Version): Promise<void>;
  command(command: Command): Promise<void>;
}

/** One connection's place in a topic, as the roster knows it. */
export interface Seat {
  readonly socketId: string;
  /** Unix milliseconds at which it connected. */
  readonly since: number;
  /** The library and version that the client named, such as `js/8.6.0`. */
  readonly client: string;
  readonly address: string;
}

export interface JoinOptions {
  /** The member that joins, in a presence channel. */
  readonly member?: Member | undefined;
  /** The number of distinct users above which a new one is refused. */
  readonly maxMembers?: number | undefined;
  /** Whether the join may be queued while the other nodes cannot be reached. */
  readonly mayBeLate?: boolean | undefined;
  /** Whether the answer shall have the position of the history. */
  readonly position?: boolean | undefined;
}

/** The state of a topic at one version. */
export interface Snapshot {
  readonly version: Version;
  readonly subscriptions: number;
  readonly members: readonly Member[];
  /** The kept event, if there is one. */
  readonly last: KeptEvent | undefined;
}

/** What one join changed, and the snapshot right after it, with members only if a member joined. */
export interface Joined extends Snapshot {
  /** The seat is the first one of the topic. */
  readonly occupied: boolean;
  /** The seat is the first one of its user. */
  readonly memberAdded: boolean;
  /** The position of the newest event with the same or a lower version, if it was asked for. */
  readonly position?: Position | undefined;
}

export type LeaveReason = 'unsubscribed' | 'disconnected' | 'expired';

/** What one leave changed. */
export interface Left {
  readonly version: Version;
  readonly subscriptions: number;
  /** The seat was the last one of the topic. */
  readonly vacated: boolean;
  /** The user whose last seat it was. */
  readonly memberRemoved: string | undefined;
}

export interface Counts {
  readonly subscriptions: number;
  readonly members: number;
  /** The topic's version when it was counted. */
  readonly version: Version;
}

/** A connection of a signed-in user, and the channels to which it is subscribed. */
export interface SeatedConnection {
  readonly seat: Seat;
  readonly channels: readonly string[];
}

/**
 * Who holds a seat in which topic. A change is decided in one step and answers what it changed; the difference that others
 * must know (`memberAdded`, `memberRemoved`) goes out on the bus in that step, so that differences arrive in order.
 */
export interface Roster {
  /**
   * Joins, or answers `full`. To join again changes nothing and answers the present state. A `queued` join happens later;
   * the listener then learns by `missed` that it must resync.
   */
  join(topic: Topic, seat: Seat, options?: JoinOptions): Promise<Joined | 'full' | 'queued'>;
  /**
   * Leaves; `undefined` if it had not joined.
   *
   * @param reason a {@link LeaveReason}, or why the application ended it
   */
  leave(topic: Topic, socketId: string, reason?: string): Promise<Left | undefined>;
  snapshot(topic: Topic): Promise<Snapshot>;
  /** The seats of a topic, in the order in which they were taken. */
  seats(topic: Topic): Promise<readonly Seat[]>;
  counts(topic: Topic): Promise<Counts>;
  /** The occupied channels of an app whose names begin with `prefix`. */
  channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>>;
  /** The ids of signed-in users after `after`, in order. */
  users(appId: string, after: string, limit: number): Promise<readonly string[]>;
  /** All connections of a signed-in user. */
  connections(appId: string, userId: string): Promise<readonly SeatedConnection[]>;
}

export interface KeptEvent {
  readonly name: string;
  readonly data: string;
  readonly version: Version;
  /** Its position in the history of the channel. */
  readonly position?: Position | undefined;
  /** Whole seconds until it expires, at least 1. */
  readonly ttlSeconds: number;
}

/** The last events of cache channels. */
export interface ChannelCache {
  /** The kept event of a topic, until it expires. */
  last(topic: Topic): Promise<KeptEvent | undefined>;
}

/** The events of channels that have a history. */
export interface History {
  read(topic: Topic, query: HistoryQuery): Promise<HistoryPage | LostCode>;
  /** The position of the newest event. */
  position(topic: Topic): Promise<Position>;
  /** Drops all events of a channel, also the kept one. */
  purge(topic: Topic): Promise<void>;
}

/** The state of a window after more hits. */
export interface Hit {
  readonly hits: number;
  /** Milliseconds until the window ends: a duration, since the clocks of nodes differ and can be set. */
  readonly leftMs: number;
}

/** Counters that all nodes share. */
export interface Counters {
  /** Counts hits in the running window of `key`, one by default. */
  hit(key: string, windowMs: number, by?: number): Promise<Hit>;
  /** Takes one of `limit` places, if one is free; with `Infinity` one always is. */
  hold(key: string, limit: number): Promise<boolean>;
  release(key: string): Promise<void>;
}
