import { codes, Disconnect } from '../../errors.ts';

/** The deadline of a connection that must prove a right: by a sign-in, or by a channel that requires a signature. */
export class AuthenticationDeadline {
  /** The reason why the last proof was refused. */
  fault: string | undefined;
  readonly #seconds: number;
  readonly #at: number;

  /** @param since when the connection began, in monotonic milliseconds */
  constructor(since: number, seconds: number) {
    this.#seconds = seconds;
    this.#at = since + seconds * 1000;
  }

  /** Why a connection without a valid proof must close now; `undefined` while there is time. */
  check(now: number): Disconnect | undefined {
    if (now < this.#at) return undefined;
    return late(
      this.fault
        ? `the last proof was refused: ${this.fault}`
        : `no sign-in and no authorized channel within ${this.#seconds} seconds`,
    );
  }

  /** Why a connection must close although its proof is valid; `undefined` if the proof came in time. */
  checkProof(now: number): Disconnect | undefined {
    return now < this.#at ? undefined : late('the proof came too late');
  }
}

function late(why: string): Disconnect {
  return new Disconnect(
    codes.unauthorized,
    'authentication_timeout',
    `Connection not authorized within timeout: ${why}`,
  );
}
