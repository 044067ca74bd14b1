import type { Logger } from 'pino';
import { keyOf } from './announced.ts';
import { DelayQueue } from './delay-queue.ts';
import type { WebhookEvent } from './event.ts';
import type { Announced } from './outbox/outbox.ts';

/** A departure of what was announced to receivers, and which may return. */
export interface PendingRemoval {
  readonly told: Announced;
  readonly event: WebhookEvent;
}

/**
 * Knows what is present on all nodes. A node records events late, or never if it dies, so a removal is announced only
 * after a look at the presence.
 */
export interface PresenceSource {
  /** Which of these are not present. */
  gone(told: readonly Announced[]): Promise<ReadonlySet<Announced>>;
}

export interface PendingRemovalsParts {
  /** Milliseconds within which a return cancels a departure; 0 for none. */
  readonly graceMs: number;
  /** The same after the end of a process. */
  readonly restartGraceMs: number;
  /** `undefined` if every event is recorded in order. */
  readonly presence: PresenceSource | undefined;
  readonly log: Logger;
  /** Called with those that have not returned in time, in order. */
  readonly onEnd: (departures: readonly PendingRemoval[]) => void;
}

/** Milliseconds before a removal that failed is tried again. */
const RETRY_MS = 1000;

/** Departures that are not announced yet, because what has left may return. */
export class PendingRemovals {
  readonly #parts: PendingRemovalsParts;
  readonly #leaving: DelayQueue<PendingRemoval>;
  readonly #restarting: DelayQueue<PendingRemoval>;
  readonly #retrying: DelayQueue<PendingRemoval>;
  /** Keys that are being looked up in the presence. */
  readonly #doubted = new Set<string>();
  #closed = false;

  constructor(parts: PendingRemovalsParts) {
    this.#parts = parts;
    const { presence, onEnd } = parts;
    const end = (ended: readonly PendingRemoval[]) =>
      presence ? void this.#confirm(ended, presence) : onEnd(ended);
    this.#leaving = new DelayQueue(parts.graceMs, end);
    this.#restarting = new DelayQueue(parts.restartGraceMs, end);
    this.#retrying = new DelayQueue(Math.max(parts.graceMs, RETRY_MS), end);
  }

  has(key: string): boolean {
    return [this.#leaving, this.#restarting, this.#retrying, this.#doubted].some((each) => each.has(key));
  }

  /** Starts the wait of an item, or starts it again. */
  begin(departure: PendingRemoval, grace: 'usual' | 'restart'): void {
    this.#begin(departure, grace === 'usual' ? this.#leaving : this.#restarting);
  }

  /** Starts the wait again, because the removal could not be recorded or confirmed. */
  retry(departure: PendingRemoval): void {
    this.#begin(departure, this.#retrying);
  }

  /** Cancels a departure: what had left has returned. */
  callOff(key: string): void {
    this.#leaving.callOff(key);
    this.#restarting.callOff(key);
    this.#retrying.callOff(key);
    this.#doubted.delete(key);
  }

  /** Ends all waits. @returns the departures, in order */
  take(): readonly PendingRemoval[] {
    this.#closed = true;
    return [...this.#retrying.take(), ...this.#restarting.take(), ...this.#leaving.take()];
  }

  /** Cancels all waits. */
  close(): void {
    this.#closed = true;
    this.#leaving.close();
    this.#restarting.close();
    this.#retrying.close();
  }

  #begin(departure: PendingRemoval, queue: DelayQueue<PendingRemoval>): void {
    const key = keyOf(departure.told);
    this.callOff(key);
    if (!this.#closed) queue.begin(key, departure);
  }

  async #confirm(ended: readonly PendingRemoval[], presence: PresenceSource): Promise<void> {
    const { log, onEnd } = this.#parts;
    for (const { told } of ended) this.#doubted.add(keyOf(told));
    const stillDoubted = () => ended.filter(({ told }) => this.#doubted.delete(keyOf(told)) && !this.#closed);
    try {
      const gone = await presence.gone(ended.map(({ told }) => told));
      const certain = stillDoubted().filter(({ told }) => gone.has(told));
      if (certain.length > 0) onEnd(certain);
    } catch (error) {
      log.warn({ err: error, departures: ended.length }, 'webhook removals wait: nobody knows who is there');
      for (const departure of stillDoubted()) this.retry(departure);
    }
  }
}
