import type { Logger } from 'pino';
import type { Counters } from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { Topic } from '../adapter/topic.ts';
import { severityOf } from '../errors.ts';

/** Milliseconds in which the backend gets at most one `cache_miss` for a channel, however many clients subscribe. */
const INTERVAL_MS = 5000;

/** Reports to the backend that a client subscribed to a cache channel without a kept event. */
export class CacheMisses {
  readonly #counters: Counters;
  readonly #journal: Journal;
  readonly #log: Logger;

  constructor(counters: Counters, journal: Journal, log: Logger) {
    this.#counters = counters;
    this.#journal = journal;
    this.#log = log;
  }

  report(topic: Topic): void {
    const record = async (): Promise<void> => {
      const { hits } = await this.#counters.hit(`cache_miss:${topic}`, INTERVAL_MS);
      if (hits === 1) await this.#journal.record([{ kind: 'cacheMiss', topic }]);
    };
    record().catch((error: unknown) =>
      this.#log[severityOf(error)]({ err: error, topic }, 'failed to report cache miss'),
    );
  }
}
