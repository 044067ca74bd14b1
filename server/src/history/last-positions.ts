import type { Position } from './history.ts';

/** How far a connection is known to have got in the history of a channel. */
export interface LastPosition {
  /** What followed may not have arrived. */
  readonly position: Position;
  /** The user that it was there as. */
  readonly userId?: string | undefined;
}

/** How far connections that have ended had got. */
export interface LastPositions {
  /** @param seconds for which it is kept */
  note(appId: string, channel: string, socketId: string, last: LastPosition, seconds: number): Promise<void>;
  find(appId: string, channel: string, socketId: string): Promise<LastPosition | undefined>;
}

/** What is kept of the connections of one app; beyond it the oldest goes first. */
export const MAX_LAST_POSITIONS = 100_000;
export const MAX_LAST_POSITION_BYTES = 16 * 1024 * 1024;
/** Bytes of all apps together, in one process. */
export const MAX_LAST_POSITION_TOTAL_BYTES = 64 * 1024 * 1024;

/** Called each time that the last positions of an app have reached a bound. */
export type OnLastPositionsBound = (appId: string) => void;
