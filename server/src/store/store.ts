import type { Logger } from 'pino';
import type { RevocationStore } from '../adapter/memory/revocations.ts';
import type { Revocation } from '../adapter/revocations.ts';
import { OutageLog } from '../log/outage-log.ts';
import type { OutboxBounds } from '../webhooks/outbox/outbox.ts';
import { DataThread } from './data-thread.ts';
import { StoreHistory } from './store-history.ts';
import { StoreKeyUses } from './store-key-uses.ts';
import { StoreOutbox } from './store-outbox.ts';
import { StoreRepository } from './store-repository.ts';
import { StoreUsage } from './store-usage.ts';

export interface StoreParts {
  readonly directory: string;
  readonly bounds: OutboxBounds;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
  /** Called before an event is handed over, and when it is on disk. */
  readonly onStep?: ((step: 'beforeWrite' | 'afterWrite') => void) | undefined;
}

/**
 * What outlives the process: the outbox of webhooks, revocations, and the documents of the admin API. A thread of its
 * own writes them to disk.
 */
export class Store implements RevocationStore {
  readonly outbox: StoreOutbox;
  /** The documents of the admin API. */
  readonly repository = new StoreRepository(() => this.#open);
  readonly usage = new StoreUsage(() => this.#open);
  /** When keys were used last. */
  readonly keyUses = new StoreKeyUses(() => this.#open);
  /** Histories that outlive the process. */
  readonly history = new StoreHistory(() => this.#open);
  /** Revocations that were kept when it was opened. */
  standing: readonly Revocation[] = [];
  #thread: DataThread | undefined;

  readonly #outage: OutageLog;

  private constructor({ onStep, log }: StoreParts) {
    this.#outage = new OutageLog(
      log,
      'revocations cannot be kept on the disk: they hold in memory meanwhile',
      'revocations are kept on the disk again',
    );
    this.outbox = new StoreOutbox(() => this.#open, onStep);
  }

  /** @throws DataError if the data directory cannot be used */
  static async open(parts: StoreParts): Promise<Store> {
    const store = new Store(parts);
    const { outbox } = store;
    store.#thread = await DataThread.open({
      ...parts,
      onOpened: (opened) => {
        store.standing = opened.revocations;
        store.history.run = opened.historyRun;
        outbox.opened(opened);
      },
      onSaid: ({ amounts, items }) => {
        outbox.count(amounts);
        for (const item of items) if ('news' in item) outbox.hear(item.news);
      },
    });
    return store;
  }

  /** Why nothing can be stored at present; `undefined` if it can. */
  get fault(): string | undefined {
    return this.#open.fault;
  }

  save(revocation: Revocation): Promise<void> {
    return this.#write(() => this.#open.ask('saveRevocation', [revocation]));
  }

  forget(appId: string, id: string): Promise<void> {
    return this.#write(() => this.#open.ask('forgetRevocation', [appId, id]));
  }

  async #write(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
      this.#outage.succeeded();
    } catch (error) {
      this.#outage.failed(error);
      throw error;
    }
  }

  /** Deletes everything of an app that is gone. */
  async forgetApp(appId: string): Promise<void> {
    await this.#open.ask('forgetApp', [appId]);
    this.outbox.forgetApp(appId);
  }

  close(): Promise<void> {
    return this.#open.close();
  }

  get #open(): DataThread {
    if (!this.#thread) throw new Error('The store is not open yet');
    return this.#thread;
  }
}
