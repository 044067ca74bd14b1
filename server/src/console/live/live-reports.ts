import type { Range } from '../../adapter/figure-ranges.ts';
import type { AppStats } from '../figures/stats.ts';
import type { PastStep } from '../figures/track.ts';
import type { EventLine } from './event-line.ts';

/** The reports of one node to the pages of the console, by the name of their event. */
export interface LiveReports {
  readonly figures: Figures;
  readonly past: Past;
  readonly entries: EventLines;
  readonly subscribers: ChannelSubscribers;
  readonly connection: ConnectionReport;
}

/** What every report says: which node sent it. */
export interface FromNode {
  readonly node: string;
}

export interface Figures extends FromNode, AppStats {
  /** Unix milliseconds. */
  readonly at: number;
}

/** What a node has kept of the time before. */
export interface Past extends FromNode {
  readonly range: Range;
  /** The oldest first. */
  readonly steps: readonly PastStep[];
}

export interface EventLines extends FromNode {
  readonly entries: readonly EventLine[];
  /** Lines that were left out, because there were too many at a time. */
  readonly dropped: number;
}

/** The subscribers of one channel on one node. */
export interface ChannelSubscribers extends FromNode {
  readonly channel: string;
  readonly total: number;
  /** The position of the last event that this node has delivered. */
  readonly newest: string | undefined;
  /** The first of them. */
  readonly subscribers: readonly LiveSubscriber[];
}

export interface LiveSubscriber {
  readonly socketId: string;
  /** Unix milliseconds. */
  readonly since: number;
  readonly client: string;
  readonly address: string;
  readonly userId: string | undefined;
  /** Of the last event that was sent to it, in a channel with a history. */
  readonly position: string | undefined;
  /** Bytes that its client has not read. */
  readonly unreadBytes: number;
}

/** One connection, from the node that has it. */
export interface ConnectionReport extends FromNode {
  readonly socketId: string;
  /** Unix milliseconds. */
  readonly since: number;
  readonly client: string;
  readonly address: string;
  /** The key that it connected with. */
  readonly key: string;
  /** The user that has signed in. */
  readonly userId: string | undefined;
  /** Bytes that its client has not read. */
  readonly unreadBytes: number;
  readonly totalChannels: number;
  /** The first of them. */
  readonly channels: readonly JoinedChannel[];
}

/** A channel that a connection is in. */
export interface JoinedChannel {
  readonly name: string;
  /** Unix seconds. */
  readonly since: number;
  /** The member that it is there. */
  readonly userId: string | undefined;
  readonly position: string | undefined;
  /** `undefined` in a public channel. */
  readonly grant:
    | {
        readonly id: string | undefined;
        readonly key: string | undefined;
        /** Unix seconds; `undefined`: when the connection ends. */
        readonly expiresAt: number | undefined;
        readonly mayPublish: boolean;
      }
    | undefined;
}
