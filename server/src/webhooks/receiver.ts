import { backoffMs } from './backoff.ts';
import type { Lane } from './lane.ts';

/** Requests that one receiver is sent at a time. */
const MAX_IN_FLIGHT = 8;
/** So many lanes that fail, with no success between them, are the receiver's own failure. */
const FAILING_LANES = 5;
const MAX_PROBE_PAUSE_MS = 60_000;

/** Whether the receiver took what it was sent. */
export type Sent = 'taken' | 'failed' | 'nothing';

export interface ReceiverParts {
  /** Sends what is first in a lane. Resolves when the receiver can be sent more; never rejects. */
  send(lane: Lane): Promise<Sent>;
  /** From 0 to 1. */
  readonly random: () => number;
  /** The receiver has begun to fail, or works again. */
  turned(url: string, works: boolean): void;
}

/**
 * One URL, and the lanes that wait for their turn there. A receiver that fails whatever it is sent is asked by one
 * request at a time, with longer and longer pauses, until it takes one: nobody else waits for it, and when it
 * comes back it is not run over.
 */
export class Receiver {
  readonly url: string;
  readonly #parts: ReceiverParts;
  readonly #turns = new Set<Lane>();
  #inFlight = 0;
  /** Lanes that failed since the last success; once there are {@link FAILING_LANES} the receiver does not work. */
  readonly #failing = new Set<Lane>();
  #probes = 0;
  #pause: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(url: string, parts: ReceiverParts) {
    this.url = url;
    this.#parts = parts;
  }

  /** Lets a lane wait for its turn, behind those that wait already. */
  enqueue(lane: Lane): void {
    this.#turns.add(lane);
    this.#proceed();
  }

  /** Takes a lane out of the queue. */
  remove(lane: Lane): void {
    this.#turns.delete(lane);
  }

  /** Begins no request any more. @returns the lanes that have waited in vain */
  close(): readonly Lane[] {
    this.#closed = true;
    clearTimeout(this.#pause);
    return [...this.#turns];
  }

  get #works(): boolean {
    return this.#failing.size < FAILING_LANES;
  }

  #proceed(): void {
    const limit = this.#works ? MAX_IN_FLIGHT : 1;
    for (const lane of this.#turns) {
      if (this.#closed || this.#pause || this.#inFlight >= limit) return;
      this.#turns.delete(lane);
      void this.#send(lane);
    }
  }

  async #send(lane: Lane): Promise<void> {
    this.#inFlight += 1;
    const sent = await this.#parts.send(lane);
    this.#inFlight -= 1;
    if (sent === 'taken') this.#succeeded();
    else if (sent === 'failed') this.#failed(lane);
    this.#proceed();
  }

  #succeeded(): void {
    const worked = this.#works;
    this.#failing.clear();
    this.#probes = 0;
    if (!worked) this.#parts.turned(this.url, true);
  }

  #failed(lane: Lane): void {
    const worked = this.#works;
    if (worked) this.#failing.add(lane);
    // Those that were in flight together are one failure.
    if (this.#works || this.#closed || this.#pause) return;
    if (worked) this.#parts.turned(this.url, false);
    this.#probes += 1;
    this.#pause = setTimeout(
      () => {
        this.#pause = undefined;
        this.#proceed();
      },
      backoffMs(this.#probes, this.#parts.random(), MAX_PROBE_PAUSE_MS),
    );
  }
}
