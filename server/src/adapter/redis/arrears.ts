import type { Logger } from 'pino';
import type { BusListener, Missed, Topic } from '../adapter.ts';
import type { Subscriber } from './subscriber.ts';

/** What the listener has to make up for, topic by topic, until it has. */
export class Arrears {
  readonly #subscriber: Subscriber;
  readonly #log: Logger;
  readonly #owed = new Map<Topic, Missed>();
  #listener: BusListener | undefined;

  constructor(subscriber: Subscriber, log: Logger) {
    this.#subscriber = subscriber;
    this.#log = log;
  }

  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  /** Tells the listener, at once if that is possible. */
  note(topic: Topic, missed: Missed): void {
    this.#owed.set(topic, merge(this.#owed.get(topic), missed));
    void this.#settle(topic);
  }

  /** Redis can be reached: what failed before is tried again. */
  settle(): void {
    for (const topic of this.#owed.keys()) void this.#settle(topic);
  }

  async #settle(topic: Topic): Promise<void> {
    const missed = this.#owed.get(topic);
    if (!missed) return;
    try {
      // What is told anew must not be missed again.
      await this.#subscriber.settled(topic);
      await this.#listener?.missed(missed);
      if (this.#owed.get(topic) === missed) this.#owed.delete(topic);
    } catch (error) {
      this.#log.warn({ err: error, topic }, 'what was missed is not made up for yet');
    }
  }
}

function merge(before: Missed | undefined, missed: Missed): Missed {
  if (before?.kind !== 'messages' || missed.kind !== 'messages') return missed;
  const evicted = Math.max(before.evicted ?? 0, missed.evicted ?? 0);
  return {
    ...missed,
    version: Math.max(before.version, missed.version),
    ...(evicted > 0 && { evicted }),
  };
}
