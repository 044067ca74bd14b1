import type { Member } from '../protocol/frames.ts';

/**
 * What all nodes share. Memory answers at once and other adapters after a while, so every capability answers
 * with a promise, and the same contract suite holds for each of them.
 */
export interface Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly history: History;
  readonly counters: Counters;
  /** Ends all timers and connections of the adapter. */
  close(): Promise<void>;
}

/** A channel of one app, as all nodes know it. Neither part can hold the separator. */
export type Topic = `${string}:${string}`;

export function topicOf(appId: string, channel: string): Topic {
  return `${appId}:${channel}`;
}

export function appOfTopic(topic: Topic): string {
  return topic.slice(0, topic.indexOf(':'));
}

export function channelOfTopic(topic: Topic): string {
  return topic.slice(topic.indexOf(':') + 1);
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
  | { readonly kind: 'count'; readonly topic: Topic; readonly version: Version; readonly count: number };

export interface EventMessage {
  readonly kind: 'event';
  readonly topic: Topic;
  readonly name: string;
  readonly data: string;
  /** The member who sent it, for a client event in a presence channel. */
  readonly userId?: string | undefined;
  /** The socket id of the one connection that is left out. */
  readonly except?: string | undefined;
  /** Set by the bus on an event that is kept. */
  readonly version?: Version;
}

/** What is said to every node. */
export type Command = { readonly kind: 'terminateUser'; readonly appId: string; readonly userId: string };

export interface BusListener {
  deliver(message: Message): void;
  obey(command: Command): void;
}

/** Carries messages to the nodes. Calls that name the same topic take effect in the order in which they were made. */
export interface Bus {
  /** Hands in who receives; called once, before anything else. */
  attach(listener: BusListener): void;
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
}

/** What one join changed, and the topic as it stood right after. */
export interface Joined {
  readonly version: Version;
  /** Subscriptions, this one included. */
  readonly subscriptions: number;
  /** This was the first one. */
  readonly occupied: boolean;
  /** This was the first one of its user. */
  readonly memberAdded: boolean;
  /** All members, if a member joined. */
  readonly members: readonly Member[] | undefined;
  /** The kept event, if there is one. */
  readonly last: KeptEvent | undefined;
}

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
}

/**
 * Who sits where. A change is decided in one step and answers what it changed; the difference that others must
 * know (`memberAdded`, `memberRemoved`) goes out on the bus in that step, so that differences arrive in order.
 */
export interface Roster {
  /** Joins, or answers `full`. To join again changes nothing and answers the present state. */
  join(topic: Topic, seat: Seat, options?: JoinOptions): Promise<Joined | 'full'>;
  /** Leaves; `undefined` if it had not joined. */
  leave(topic: Topic, socketId: string): Promise<Left | undefined>;
  members(topic: Topic): Promise<readonly Member[]>;
  counts(topic: Topic): Promise<Counts>;
  /** Occupied channels of an app whose names begin with `prefix`. */
  channels(appId: string, prefix: string): Promise<ReadonlyMap<string, Counts>>;
}

export interface KeptEvent {
  readonly name: string;
  readonly data: string;
  readonly version: Version;
  /** Whole seconds until it is forgotten, at least 1. */
  readonly ttlSeconds: number;
}

/** What was published. */
export interface History {
  /** The last kept event, while it lives. */
  last(topic: Topic): Promise<KeptEvent | undefined>;
}

/** Numbers that all nodes count together. */
export interface Counters {
  /** Counts one more in the running window of `key`. */
  hit(key: string, windowMs: number): Promise<{ readonly hits: number; readonly resetAt: number }>;
  /** Takes one of `limit` places, if one is free. */
  hold(key: string, limit: number): Promise<boolean>;
  release(key: string): Promise<void>;
}
