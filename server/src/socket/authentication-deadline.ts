import { codes, Disconnect } from '../errors.ts';

/** Until when a connection must have proven who it is. Only those that have not yet, and must, have one. */
export class AuthenticationDeadline {
  /** Why the last proof was refused. */
  fault: string | undefined;
  readonly #seconds: number;
  readonly #at: number;

  /** @param since when it connected, by the monotonic clock */
  constructor(since: number, seconds: number) {
    this.#seconds = seconds;
    this.#at = since + seconds * 1000;
  }

  /** Why a connection that has proven nothing is closed now; `undefined`: it still has time. */
  check(now: number): Disconnect | undefined {
    if (now < this.#at) return undefined;
    return late(
      this.fault
        ? `the last proof was refused: ${this.fault}`
        : `no sign-in and no authorized channel within ${this.#seconds} seconds`,
    );
  }

  /** Why a connection is closed although a proof holds; `undefined`: it came in time. */
  checkProof(now: number): Disconnect | undefined {
    return now < this.#at ? undefined : late('the proof came too late');
  }
}

function late(why: string): Disconnect {
  return new Disconnect(codes.unauthorized, `Connection not authorized within timeout: ${why}`);
}
