import type { Logger } from 'pino';
import { keyOf } from './announced.ts';
import { DelayQueue } from './delay-queue.ts';
import type { WebhookEvent } from './event.ts';
import type { Announced } from './outbox/outbox.ts';

/** Something that receivers had been told is there has gone, and may come back. */
export interface PendingRemoval {
  readonly told: Announced;
  readonly event: WebhookEvent;
}

/**
 * Knows who is there. Of what happens on several nodes some is recorded late, or never, if the node dies with it; so
 * nobody is told of a removal before the presence was asked.
 */
export interface PresenceSource {
  /** Those who are not there. */
  gone(told: readonly Announced[]): Promise<ReadonlySet<Announced>>;
}

export interface PendingRemovalsParts {
  /** Milliseconds within which a return undoes a departure; 0 for none. */
  readonly graceMs: number;
  /** The same where a process has ended. */
  readonly restartGraceMs: number;
  /** `undefined` where everything is recorded, in the order in which it happened. */
  readonly presence: PresenceSource | undefined;
  readonly log: Logger;
  /** Is told of those who have not come back in time, in the order of their times. */
  readonly onEnd: (departures: readonly PendingRemoval[]) => void;
}

/** Milliseconds before a removal that failed is tried again. */
const RETRY_MS = 1000;

/** Those who have left, until they come back or it is certain that they do not. */
export class PendingRemovals {
  readonly #parts: PendingRemovalsParts;
  readonly #leaving: DelayQueue<PendingRemoval>;
  readonly #restarting: DelayQueue<PendingRemoval>;
  readonly #retrying: DelayQueue<PendingRemoval>;
  /** Of whom the presence is being asked. */
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

  /** Begins to wait, anew if it waits already. */
  begin(departure: PendingRemoval, grace: 'usual' | 'restart'): void {
    this.#begin(departure, grace === 'usual' ? this.#leaving : this.#restarting);
  }

  /** Begins to wait again, because the removal could not be recorded or confirmed. */
  retry(departure: PendingRemoval): void {
    this.#begin(departure, this.#retrying);
  }

  /** It has come back. */
  callOff(key: string): void {
    this.#leaving.callOff(key);
    this.#restarting.callOff(key);
    this.#retrying.callOff(key);
    this.#doubted.delete(key);
  }

  /** Ends all waits. @returns those who waited, in the order in which they left */
  take(): readonly PendingRemoval[] {
    this.#closed = true;
    return [...this.#retrying.take(), ...this.#restarting.take(), ...this.#leaving.take()];
  }

  /** Calls everything off. */
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
