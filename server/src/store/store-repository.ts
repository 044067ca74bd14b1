import type { AppRepository, DocumentChanges, KeptEntry, RepositoryChange } from '../apps/app-repository.ts';
import type { DataThread } from './data-thread.ts';

/** The documents of the admin API in the data file, for the main thread. */
export class StoreRepository implements AppRepository {
  readonly keepsDocuments = true;
  readonly #thread: () => DataThread;

  constructor(thread: () => DataThread) {
    this.#thread = thread;
  }

  changes(): Promise<DocumentChanges> {
    return this.#thread().ask('documents', []);
  }

  write(change: RepositoryChange): Promise<number | undefined> {
    const bytes = change.documents.reduce((sum, { sealed }) => sum + (sealed?.length ?? 0), 0);
    return this.#thread().ask('writeDocuments', [change], bytes);
  }

  answer(key: string, now: number): Promise<string | undefined> {
    return this.#thread().ask('keptAnswer', [key, now]);
  }

  entries(before: number, limit: number): Promise<readonly KeptEntry[]> {
    return this.#thread().ask('adminEntries', [before, limit]);
  }
}
