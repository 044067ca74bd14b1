import type { Logger } from 'pino';
import type { BusListener, Missed } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import type { Subscriber } from './subscriber.ts';

/** Milliseconds that all nodes have to come back to a Redis that has lost what it held; a link tries every 2 seconds. */
const RETURN_MS = 3000;

/** What the listener has to make up for, topic by topic, until it has. */
export class MissedQueue {
  readonly #subscriber: Subscriber;
  readonly #log: Logger;
  readonly #settled: () => Promise<void>;
  readonly #owed = new Map<Topic, Missed>();
  /** What will be owed once other nodes have had the time to come back. */
  readonly #later = new Map<Topic, Missed>();
  #timer: NodeJS.Timeout | undefined;
  #listener: BusListener | undefined;

  /** @param settled resolves when this node has taken its seats again */
  constructor(subscriber: Subscriber, log: Logger, settled: () => Promise<void>) {
    this.#subscriber = subscriber;
    this.#log = log;
    this.#settled = settled;
  }

  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  /** Tells the listener, at once if that is possible. */
  note(topic: Topic, missed: Missed): void {
    this.#owed.set(topic, merge(this.#owed.get(topic), missed));
    void this.#settle(topic);
  }

  /** The same, in a while: what other nodes hold is not there yet, and would be taken for gone. */
  noteLater(topic: Topic, missed: Missed): void {
    this.#later.set(topic, merge(this.#later.get(topic), missed));
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const later = [...this.#later];
      this.#later.clear();
      for (const [each, what] of later) this.note(each, what);
    }, RETURN_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
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
      await this.#settled();
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
