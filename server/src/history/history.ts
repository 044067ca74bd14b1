/** A place in the history of a channel: opaque text for clients, unique in the life of its channel. */
export type Position = string;

/** An event of a history. */
export interface HistoryEvent {
  readonly position: Position;
  /** The version that its message had. */
  readonly version: number;
  readonly name: string;
  readonly data: string;
  /** The member that sent it. */
  readonly userId?: string | undefined;
  /** The socket id of the one connection that did not receive it. */
  readonly except?: string | undefined;
  /** The `traceparent` of what caused it. */
  readonly traceparent?: string | undefined;
  /** When it was published, in Unix milliseconds. */
  readonly atMs: number;
}

/**
 * Why a history cannot go on after a position: what followed was dropped, or the position was never given for this channel,
 * or by a store that has lost it.
 */
export type LostCode = 'position_too_old' | 'position_unknown';

/** What is asked of a history. */
export interface HistoryQuery {
  /** Begins after this position; without it with the oldest event. */
  readonly after?: Position | undefined;
  /** Begins with the last so many events, if there is no position. */
  readonly last?: number | undefined;
  /** Events of the answer at most. */
  readonly limit: number;
  /** Bytes of these events at most, if there is more than one. */
  readonly bytes: number;
  /** Events that excluded this socket id are left out. */
  readonly without?: string | undefined;
}

/** A part of a history. */
export interface HistoryPage {
  readonly events: readonly HistoryEvent[];
  /** The position right before the first event that was looked at. */
  readonly begin: Position;
  /** Where the next page begins: the position of the last event that was looked at. */
  readonly next: Position;
  /** It reaches the newest event. */
  readonly isComplete: boolean;
  /** How many events are to come with this page and all that follow it. */
  readonly count: number;
  /** The position of the newest event of the channel, and its version. */
  readonly position: Position;
  readonly version: number;
}

/** Bytes beside name and data that an event counts with: its place in the log. */
const OVERHEAD = 256;

/** What an event counts with. */
export function bytesOf({ name, data, userId = '', except = '' }: Omit<HistoryEvent, 'position'>): number {
  return OVERHEAD + Buffer.byteLength(name) + Buffer.byteLength(data) + userId.length + except.length;
}
