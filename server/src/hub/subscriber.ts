import type { Holder } from '../access/access.ts';
import type { Grant } from '../access/grant.ts';
import type { RenewalProof } from '../access/renewer.ts';
import type { Seat } from '../adapter/adapter.ts';
import type { ErrorCode } from '../error-codes.ts';
import type { SubscriptionRefusal } from '../errors.ts';
import type { Frame } from '../protocol/frames.ts';
import type { ExpelCode } from './users.ts';

/** A connection, as far as the hub needs it. */
export interface Subscriber extends Seat, Holder {
  /** Whether it understands the events and fields that are not part of the Channels protocol. */
  readonly isCapable: boolean;
  /** By the monotonic clock: what was sent to it before then has arrived, as far as is known. */
  readonly arrivedUntil: number;
  /** Bytes that its client has not read. */
  readonly bufferedBytes: number;
  /** Queues a frame. Frames are sent in the order of the calls. */
  send(frame: Frame): void;
  /**
   * The broker ended its subscription to a channel.
   *
   * @param grant what had let it in
   * @param why `undefined`: the client is not told, because the connection is about to close
   * @param left resolves when its seat is given up
   */
  lose(channel: string, grant: Grant, why: SubscriptionRefusal | undefined, left: Promise<unknown>): void;
  /** Resolves when it has room for more frames; false if it has ended. */
  drained(): Promise<boolean>;
  /** Closes it, because its client reads too slowly. */
  dropSlowReader(): void;
  /**
   * Replaces the grant of a channel by one that the backend has signed.
   *
   * @throws SubscriptionRefusal if a client that sends the proof would be refused
   */
  renew(channel: string, proof: RenewalProof): Promise<void>;
  /** Whether it is about to be closed. */
  readonly isSilent: boolean;
  /** Nothing is sent to it and nothing taken from it any more: it is about to be closed. */
  silence(): void;
  /** Closes it for good. */
  expel(reason: string, code?: ExpelCode): void;
  /** Closes it, so that the client reconnects at once and proves its rights again. */
  reconnect(code: ErrorCode, reason: string): void;
}
