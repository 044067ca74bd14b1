/** Milliseconds after which what was sent has arrived at a client that is heard of. */
const ARRIVAL_MS = 10_000;

/** When a client was last heard of, and whether it owes an answer to a ping. All times are monotonic milliseconds. */
export class SignsOfLife {
  #heardAt: number;
  /** When the last ping was sent; it is awaited unless the client was heard since. */
  #pingedAt = 0;
  /** When the last ping was sent that a pong has answered; 0 if there was none. */
  #arrivedUntil = 0;

  constructor(now: number) {
    this.#heardAt = now;
  }

  /** A frame has come from the client. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** A pong has come from the client. */
  ponged(): void {
    this.#arrivedUntil = this.#pingedAt;
  }

  /**
   * Until when what was sent has arrived. A pong proves it. Without one, what was sent long before the last sign of life has
   * arrived, unless the client is behind with reading.
   */
  arrivedUntil(isBehind: boolean): number {
    return isBehind ? this.#arrivedUntil : Math.max(this.#arrivedUntil, this.#heardAt - ARRIVAL_MS);
  }

  /** What to do now: ping a silent client, which is noted as done, or give it up because it has not answered in time. */
  check(now: number, silenceMs: number, answerMs: number): 'ping' | 'give up' | undefined {
    if (this.#pingedAt > this.#heardAt) return now - this.#pingedAt >= answerMs ? 'give up' : undefined;
    if (now - this.#heardAt < silenceMs) return undefined;
    this.#pingedAt = now;
    return 'ping';
  }
}
