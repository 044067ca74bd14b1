import type { Limits } from '../apps/app.ts';
import { codes, Disconnect } from '../errors.ts';
import { TokenBucket } from './token-bucket.ts';

/** How often one client may offer a proof that is refused. Most never do, and have none of these. */
export class RefusedProofs {
  readonly #bucket: TokenBucket;

  /** @param now milliseconds, by a clock that nobody sets */
  constructor(limits: Limits, now: number) {
    this.#bucket = new TokenBucket(burst(limits), now);
  }

  /** Counts one more. Answers why the client is closed, if that was one too many. */
  count(limits: Limits, now: number): Disconnect | undefined {
    const { refusedProofsPerMinute: rate } = limits;
    if (this.#bucket.take(burst(limits), rate / 60, now)) return undefined;
    return new Disconnect(codes.unauthorized, `Too many refused proofs: at most ${rate} a minute`);
  }
}

/** A page whose backend signs wrongly hears so for each of its channels, and so does one that has just reconnected. */
function burst({ refusedProofsPerMinute, subscriptionsPerConnection }: Limits): number {
  return refusedProofsPerMinute + subscriptionsPerConnection;
}
