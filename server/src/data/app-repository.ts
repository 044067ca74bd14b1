import {
  type DocumentChanges,
  type KeptDocument,
  type KeptEntry,
  MAX_ANSWERS,
  MAX_ENTRIES,
  type RepositoryChange,
} from '../apps/app-repository.ts';
import type { Database, Statement } from './database.ts';

/**
 * The documents of the admin API in the data file. Its calls block, so the thread that has the file open makes them.
 */
export class SqliteRepository {
  readonly #version: Statement<[], { version: number }>;
  readonly #setVersion: Statement<[number], never>;
  readonly #all: Statement<[], KeptDocument>;
  readonly #put: Statement<[string, string], never>;
  readonly #remove: Statement<[string], never>;
  readonly #addEntry: Statement<[string], never>;
  readonly #dropEntries: Statement<[], never>;
  readonly #entries: Statement<[number, number], KeptEntry>;
  readonly #addAnswer: Statement<[string, string, number], never>;
  readonly #dropAnswers: Statement<[number], never>;
  readonly #answer: Statement<[string, number], { sealed: string }>;

  constructor(database: Database) {
    this.#version = database.prepare('SELECT version FROM admin');
    this.#setVersion = database.prepare('UPDATE admin SET version = ?');
    this.#all = database.prepare('SELECT id, sealed FROM admin_document ORDER BY id');
    this.#put = database.prepare('INSERT OR REPLACE INTO admin_document (id, sealed) VALUES (?, ?)');
    this.#remove = database.prepare('DELETE FROM admin_document WHERE id = ?');
    this.#addEntry = database.prepare('INSERT INTO admin_entry (entry) VALUES (?)');
    this.#dropEntries = database.prepare(
      `DELETE FROM admin_entry WHERE n <= (SELECT max(n) FROM admin_entry) - ${MAX_ENTRIES}`,
    );
    this.#entries = database.prepare('SELECT n, entry FROM admin_entry WHERE n < ? ORDER BY n DESC LIMIT ?');
    this.#addAnswer = database.prepare(
      'INSERT OR REPLACE INTO admin_answer (key, sealed, until) VALUES (?, ?, ?)',
    );
    this.#dropAnswers = database.prepare(
      `DELETE FROM admin_answer WHERE until <= ? OR key IN (
        SELECT key FROM admin_answer ORDER BY until DESC LIMIT -1 OFFSET ${MAX_ANSWERS - 1})`,
    );
    this.#answer = database.prepare('SELECT sealed FROM admin_answer WHERE key = ? AND until > ?');
  }

  /** Nobody else writes, so there are no changes of others to read. */
  changes(): DocumentChanges {
    return { version: this.#present(), isComplete: true, documents: this.#all.all() };
  }

  /** Within a transaction. */
  write({ base, documents, entries, answer, now }: RepositoryChange): number | undefined {
    if (this.#present() !== base) return undefined;
    for (const { id, sealed } of documents) {
      if (sealed === null) this.#remove.run(id);
      else this.#put.run(id, sealed);
    }
    for (const entry of entries) this.#addEntry.run(entry);
    this.#dropEntries.run();
    this.#dropAnswers.run(now);
    if (answer) this.#addAnswer.run(answer.key, answer.sealed, answer.until);
    this.#setVersion.run(base + 1);
    return base + 1;
  }

  answer(key: string, now: number): string | undefined {
    return this.#answer.get(key, now)?.sealed;
  }

  entries(before: number, limit: number): readonly KeptEntry[] {
    return this.#entries.all(before, limit);
  }

  #present(): number {
    return this.#version.get()?.version ?? 0;
  }
}
