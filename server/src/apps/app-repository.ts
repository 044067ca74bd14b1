/** Keeps the apps and tokens that the admin API makes, who changed them, and answers that may be asked for again. */
export interface AppRepository {
  /** Whether documents can be kept. Without it a repository keeps only entries and answers, while the process runs. */
  readonly keepsDocuments: boolean;
  /** Calls back whenever another writer has changed something, or may have. Where there is no other writer, it is left out. */
  follow?(onNews: () => void): void;
  /** Whether all changes of other writers have been read, as far as can be known. @default true */
  readonly isCurrent?: boolean;
  /** Waits until changes of other writers arrive. @throws Unavailable if they do not */
  listening?(): Promise<void>;
  /** What has changed after a version of the repository; after 0 it is everything. */
  changes(since: number): Promise<DocumentChanges>;
  /**
   * Writes all of a change, or nothing.
   *
   * @returns the new version; `undefined`: another writer came first, and the base is not the present version any more
   */
  write(change: RepositoryChange): Promise<number | undefined>;
  /** An answer that is kept, by its key. */
  answer(key: string, now: number): Promise<string | undefined>;
  /** Entries about administration with a lower number than `before`, newest first. */
  entries(before: number, limit: number): Promise<readonly KeptEntry[]>;
}

export interface DocumentChanges {
  readonly version: number;
  /** Whether these are all documents, so that what is not among them is gone. */
  readonly isComplete: boolean;
  readonly documents: readonly KeptDocument[];
}

/** An app or a token, sealed. */
export interface KeptDocument {
  readonly id: string;
  /** null: it was removed. */
  readonly sealed: string | null;
}

export interface RepositoryChange {
  /** The version that the change was made for. */
  readonly base: number;
  readonly documents: readonly KeptDocument[];
  /** Apps of which nothing is kept from now on: what lies beside the documents is removed with them. */
  readonly forget?: readonly string[];
  /** JSON without secrets. */
  readonly entries: readonly string[];
  /** The answer to a request that may be repeated. */
  readonly answer?: KeptAnswer | undefined;
  /** Unix milliseconds. */
  readonly now: number;
}

export interface KeptAnswer {
  readonly key: string;
  readonly sealed: string;
  /** Until when it is kept, in Unix milliseconds. */
  readonly until: number;
}

export interface KeptEntry {
  /** Counts up. */
  readonly n: number;
  readonly entry: string;
}

/** Entries that are kept; beyond them the oldest go. */
export const MAX_ENTRIES = 10_000;
/** Answers that are kept; beyond them the oldest go. */
export const MAX_ANSWERS = 10_000;
