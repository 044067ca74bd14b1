import type { App } from '../apps/app.ts';
import type { FlushTurns } from './flush-turns.ts';
import { WriteQueue } from './write-queue.ts';

/** The write queue of each app. */
export class WriteQueues {
  readonly #turns: FlushTurns;
  /** A reload keeps the objects of apps. */
  readonly #queues = new WeakMap<App, WriteQueue>();

  constructor(turns: FlushTurns) {
    this.#turns = turns;
  }

  of(app: App): WriteQueue {
    let queue = this.#queues.get(app);
    if (!queue) {
      queue = new WriteQueue(this.#turns);
      this.#queues.set(app, queue);
    }
    return queue;
  }
}
