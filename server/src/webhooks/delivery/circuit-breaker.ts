import { type BackoffRange, backoffMs } from '../../async/backoff.ts';
import type { Lane } from './lane.ts';

/** Requests in flight to one receiver. */
const MAX_IN_FLIGHT = 8;
/** After so many failing lanes without a success in between, the receiver itself counts as failing. */
const FAILING_LANES = 5;
/**
 * Pauses between the probes of a failing receiver. They are short, because a delivery that would succeed waits for
 * them, too.
 */
const PROBE_PAUSES: BackoffRange = { firstMs: 1000, mostMs: 10_000 };
/** The longest pause of all lanes that a receiver can ask for by `Retry-After`. */
const MAX_ASKED_PAUSE_MS = 60_000;

/**
 * The outcome of a lane's turn. `refused`: the receiver works but rejects this delivery, which says nothing about
 * others. `failed`: the receiver may fail for every delivery. `nothing`: no request was sent.
 */
export type Sent =
  | { readonly result: 'taken' | 'refused' | 'nothing' }
  | { readonly result: 'failed'; readonly retryAfterMs: number | undefined };

export interface EndpointQueueParts {
  /** Sends the first delivery of a lane. Resolves when the receiver can take another request; never rejects. */
  send(lane: Lane): Promise<Sent>;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Called when the receiver begins to fail, and when it works again. */
  turned(works: boolean): void;
}

/**
 * The lanes that wait for one URL of one app, behind a circuit breaker. A receiver that fails for every delivery gets
 * one request at a time, with a pause before each, until it accepts one. So it does not hold up other receivers, and
 * is not flooded when it recovers.
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

  /** Adds a lane to the end of the queue. */
  enqueue(lane: Lane): void {
    this.#turns.add(lane);
    this.#proceed();
  }

  /** Takes a lane out of the queue. */
  remove(lane: Lane): void {
    this.#turns.delete(lane);
  }

  /** Starts no further request. @returns the lanes that were still waiting */
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
    // Requests that were in flight together count as one failure.
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

/**
 * The lane with the fewest failures, and of several the latest: the earlier ones came while the receiver was failing.
 */
function mostHopeful(lanes: Iterable<Lane>): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) if (!best || lane.failures <= best.failures) best = lane;
  return best;
}
