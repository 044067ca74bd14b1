import type { Logger } from 'pino';
import type { Counters } from '../adapter/adapter.ts';
import type { Journal } from '../adapter/journal.ts';
import type { Topic } from '../adapter/topic.ts';
import { severityOf } from '../errors.ts';

/** A cache miss is told to the backend once in so many milliseconds, however many subscribe. */
const INTERVAL_MS = 5000;

/** Tells the backend that somebody came to a cache channel which has nothing to tell. */
export class CacheMisses {
  readonly #counters: Counters;
  readonly #journal: Journal;
  readonly #log: Logger;

  constructor(counters: Counters, journal: Journal, log: Logger) {
    this.#counters = counters;
    this.#journal = journal;
    this.#log = log;
  }

  tell(topic: Topic): void {
    const tell = async (): Promise<void> => {
      const { hits } = await this.#counters.hit(`cache_miss:${topic}`, INTERVAL_MS);
      if (hits === 1) await this.#journal.record([{ kind: 'cacheMiss', topic }]);
    };
    tell().catch((error: unknown) =>
      this.#log[severityOf(error)]({ err: error, topic }, 'cache miss not told'),
    );
  }
}
