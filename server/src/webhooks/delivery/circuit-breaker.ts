import { type BackoffRange, backoffMs } from '../../async/backoff.ts';
import type { Lane } from './lane.ts';

/** Requests that one receiver is sent at a time. */
const MAX_IN_FLIGHT = 8;
/** So many lanes that fail, with no success between them, are the receiver's own failure. */
const FAILING_LANES = 5;
/** Bounds what a delivery waits for that would have succeeded: others may have made the receiver fail. */
const PROBE_PAUSES: BackoffRange = { firstMs: 1000, mostMs: 10_000 };
/** Bounds what a receiver can ask for all of its lanes by `Retry-After`. */
const MAX_ASKED_PAUSE_MS = 60_000;

/**
 * What became of a lane's turn. `refused`: the receiver works and does not want this delivery, which says nothing about
 * others. `failed`: the receiver may fail whatever it is sent. `nothing`: it was not asked.
 */
export type Sent =
  | { readonly result: 'taken' | 'refused' | 'nothing' }
  | { readonly result: 'failed'; readonly retryAfterMs: number | undefined };

export interface EndpointQueueParts {
  /** Sends what is first in a lane. Resolves when the receiver can be sent more; never rejects. */
  send(lane: Lane): Promise<Sent>;
  /** From 0 to 1. */
  readonly random: () => number;
  /** The receiver has begun to fail, or works again. */
  turned(works: boolean): void;
}

/**
 * One URL of one app, and the lanes that wait for their turn there. A receiver that fails whatever it is sent is asked
 * by one request at a time, with a pause before each, until it answers one: nobody else waits for it, and when it
 * comes back it is not run over.
 */
export class EndpointQueue {
  readonly #parts: EndpointQueueParts;
  readonly #turns = new Set<Lane>();
  #inFlight = 0;
  /** Lanes that failed since the last success; once there are {@link FAILING_LANES} the receiver does not work. */
  readonly #failing = new Set<Lane>();
  #probes = 0;
  #pause: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: EndpointQueueParts) {
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
    while (!this.#closed && !this.#pause && this.#inFlight < (this.#works ? MAX_IN_FLIGHT : 1)) {
      const lane = this.#works ? first(this.#turns) : mostHopeful(this.#turns);
      if (!lane) return;
      this.#turns.delete(lane);
      void this.#send(lane);
    }
  }

  async #send(lane: Lane): Promise<void> {
    this.#inFlight += 1;
    const sent = await this.#parts.send(lane);
    this.#inFlight -= 1;
    if (sent.result === 'failed') this.#failed(lane, sent.retryAfterMs);
    else if (sent.result !== 'nothing') this.#answered();
    this.#proceed();
  }

  #answered(): void {
    const worked = this.#works;
    this.#failing.clear();
    this.#probes = 0;
    clearTimeout(this.#pause);
    this.#pause = undefined;
    if (!worked) this.#parts.turned(true);
  }

  #failed(lane: Lane, retryAfterMs = 0): void {
    const worked = this.#works;
    if (worked) this.#failing.add(lane);
    // Those that were in flight together are one failure.
    if (this.#works || this.#closed || this.#pause) return;
    if (worked) this.#parts.turned(false);
    this.#probes += 1;
    const pauseMs = Math.max(
      backoffMs(this.#probes, this.#parts.random(), PROBE_PAUSES),
      Math.min(retryAfterMs, MAX_ASKED_PAUSE_MS),
    );
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#proceed();
    }, pauseMs);
  }
}

function first(lanes: Iterable<Lane>): Lane | undefined {
  for (const lane of lanes) return lane;
  return undefined;
}

/** The lane that has failed least, of several the latest: those before it came while the receiver was failing. */
function mostHopeful(lanes: Iterable<Lane>): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) if (!best || lane.failures <= best.failures) best = lane;
  return best;
}
