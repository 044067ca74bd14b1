import type { Limits } from '../apps/app.ts';
import { codes, Disconnect } from '../errors.ts';
import { TokenBucket } from './token-bucket.ts';

/** How often one client may send; it inherits its bucket, since every connection has one. */
export class FrameRate extends TokenBucket {
  /** @param now milliseconds, by a clock that nobody sets */
  constructor(limits: Limits, now: number) {
    super(burst(limits), now);
  }

  /** Counts one more frame. Answers why the client is closed, if that was one too many. */
  count(limits: Limits, now: number): Disconnect | undefined {
    const { framesPerSecond: rate } = limits;
    if (rate === null || this.take(burst(limits), rate, now)) return undefined;
    return new Disconnect(codes.overCapacity, `Too many messages: at most ${rate} a second`);
  }
}

function burst({ framesPerSecond, subscriptionsPerConnection }: Limits): number {
  return (framesPerSecond ?? Infinity) + subscriptionsPerConnection;
}
