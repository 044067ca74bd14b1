import type { LastPosition } from '../history/last-positions.ts';

/** A connection in a channel. */
export interface ConnectionInChannel {
  readonly appId: string;
  readonly channel: string;
  readonly socketId: string;
}

/** How far connections have got that may still be open, in the eyes of the broker. */
export interface ReachedQuestion {
  readonly kind: 'reached';
  readonly connections: readonly ConnectionInChannel[];
}

/** How far one of them has got. */
export interface ReachedPlace extends ConnectionInChannel, LastPosition {}
