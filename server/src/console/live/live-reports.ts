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
}
