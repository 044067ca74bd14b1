import type { Logger } from 'pino';
import type { BusListener, Missed } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import type { Subscriber } from './subscriber.ts';

/** Milliseconds within which all nodes rejoin a Redis that has lost its data; connections are retried every 2 seconds. */
const REJOIN_MS = 3000;

/** The gaps that the listener must resync from, topic by topic, until it has. */
export class MissedQueue {
  readonly #subscriber: Subscriber;
  readonly #log: Logger;
  readonly #rejoined: () => Promise<void>;
  readonly #pending = new Map<Topic, Missed>();
  /** Resyncs that are in progress. */
  readonly #running = new Map<Topic, Promise<void>>();
  /** What becomes pending once other nodes have had the time to rejoin. */
  readonly #later = new Map<Topic, Missed>();
  #timer: NodeJS.Timeout | undefined;
  #listener: BusListener | undefined;

  /** @param rejoined resolves when this node has taken its seats again */
  constructor(subscriber: Subscriber, log: Logger, rejoined: () => Promise<void>) {
    this.#subscriber = subscriber;
    this.#log = log;
    this.#rejoined = rejoined;
  }

  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  /** Tells the listener, at once if possible. */
  add(topic: Topic, missed: Missed): void {
    this.#pending.set(topic, merge(this.#pending.get(topic), missed));
    this.#begin(topic);
  }

  /** Tells the listener later: other nodes have not taken their seats yet, which would look like removals. */
  addLater(topic: Topic, missed: Missed): void {
    this.#later.set(topic, merge(this.#later.get(topic), missed));
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const later = [...this.#later];
      this.#later.clear();
      for (const [each, laterMissed] of later) this.add(each, laterMissed);
    }, REJOIN_MS);
  }

  /** Resolves when no resync from a gap of a topic is in progress. */
  async settled(topic: Topic): Promise<void> {
    await this.#running.get(topic);
  }

  /** Whether the listener has yet to resync from a gap of a topic. */
  has(topic: Topic): boolean {
    return this.#pending.has(topic);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Retries what failed before, now that Redis can be reached. */
  retry(): void {
    for (const topic of this.#pending.keys()) this.#begin(topic);
  }

  #begin(topic: Topic): void {
    const running = this.#retry(topic).finally(() => {
      if (this.#running.get(topic) === running) this.#running.delete(topic);
    });
    this.#running.set(topic, running);
  }

  async #retry(topic: Topic): Promise<void> {
    const missed = this.#pending.get(topic);
    if (!missed) return;
    try {
      // Messages after the resync must not be missed again.
      await this.#subscriber.subscribed(topic);
      await this.#rejoined();
      await this.#listener?.missed(missed);
      if (this.#pending.get(topic) === missed) this.#pending.delete(topic);
    } catch (error) {
      this.#log.warn({ err: error, topic }, 'resync after Redis outage failed; will retry');
    }
  }
}

function merge(before: Missed | undefined, missed: Missed): Missed {
  if (before?.kind !== 'messages' || missed.kind !== 'messages') return missed;
  return { ...missed, version: Math.max(before.version, missed.version) };
}
