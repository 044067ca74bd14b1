import type { Member } from '../protocol/frames.ts';
import type { Journal } from './journal.ts';

/**
 * What all nodes share. Memory answers at once and other adapters after a while, so every capability answers
 * with a promise, and the same contract suite holds for each of them.
 */
export interface Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly history: History;
  readonly counters: Counters;
  readonly blocks: Blocks;
  /** Why it cannot do its work at present; `undefined`: it can. */
  readonly fault?: string | undefined;
  /** Hands in who receives, and who takes down what happens; called once, before anything else. */
  attach(listener: BusListener, journal: Journal): void;
  /** Ends all timers and connections of the adapter. */
  close(): Promise<void>;
}

/** A channel of one app, as all nodes know it. Neither part can hold the separator. */
export type Topic = `${string}:${string}`;

export function topicOf(appId: string, channel: string): Topic {
  return `${appId}:${channel}`;
}

/**
 * Where the connections sit that are signed in as one user. No channel can be called that, so nobody can join it
 * but by signing in.
 */
export function userTopicOf(appId: string, userId: string): Topic {
  return `${appId}:${USER_TOPIC}${userId}`;
}

/** The user of a topic that {@link userTopicOf} made. */
export function userOfTopic(topic: Topic): string | undefined {
  const name = channelOfTopic(topic);
  return name.startsWith(USER_TOPIC) ? name.slice(USER_TOPIC.length) : undefined;
}

const USER_TOPIC = '#user-';

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
  | { readonly kind: 'count'; readonly topic: Topic; readonly version: Version; readonly count: number }
  | { readonly kind: 'userOnline' | 'userOffline'; readonly topic: Topic; readonly version: Version }
  | {
      readonly kind: 'evicted';
      readonly topic: Topic;
      readonly version: Version;
      readonly socketIds: readonly string[];
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

export interface BusListener {
  deliver(message: Message): void;
  obey(command: Command): void;
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
  /** Joins, or answers `full`. To join again changes nothing and answers the present state. */
  join(topic: Topic, seat: Seat, options?: JoinOptions): Promise<Joined | 'full'>;
  /** Leaves; `undefined` if it had not joined. */
  leave(topic: Topic, socketId: string, reason?: LeaveReason): Promise<Left | undefined>;
  /**
   * Takes seats away; the nodes on which they are hear of it on the bus, in the same step.
   *
   * @returns how many seats there were to take
   */
  evict(topic: Topic, who: Evicted, reason: string): Promise<number>;
  members(topic: Topic): Promise<readonly Member[]>;
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
export interface History {
  /** The last kept event, while it lives. */
  last(topic: Topic): Promise<KeptEvent | undefined>;
}

/** Numbers that all nodes count together. */
export interface Counters {
  /** Counts one more in the running window of `key`. */
  hit(key: string, windowMs: number): Promise<{ readonly hits: number; readonly resetAt: number }>;
  /** Takes one of `limit` places, if one is free; with `Infinity` there always is one. */
  hold(key: string, limit: number): Promise<boolean>;
  release(key: string): Promise<void>;
}

/** A user who is kept out for a while. */
export interface Block {
  readonly appId: string;
  readonly userId: string;
  /** Kept out of this channel only; `undefined`: he may not sign in, nor join a presence channel. */
  readonly channel: string | undefined;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly until: number;
}

/** Who is kept out. */
export interface Blocks {
  add(block: Block): Promise<void>;
  /** What keeps a user out altogether, or out of one channel. */
  find(appId: string, userId: string, channel?: string): Promise<Block | undefined>;
}
