import { keptUntil, type Revocation } from '../adapter/revocations.ts';
import type { Database, Statement } from './database.ts';

/** Revocations that outlive the process. */
export class SqliteRevocationStore {
  readonly #now: () => number;
  readonly #standing: Statement<[number], { readonly body: string }>;
  readonly #save: Statement<[string, string, number, string], never>;
  readonly #delete: Statement<[string, string], never>;
  readonly #forget: Statement<[number], never>;
  readonly #forgetApp: Statement<[string], never>;

  /** @param now the clock, in Unix milliseconds */
  constructor(database: Database, now: () => number) {
    this.#now = now;
    this.#standing = database.prepare('SELECT body FROM revocation WHERE until > ? ORDER BY rowid');
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO revocation (app, id, until, body) VALUES (?, ?, ?, ?)',
    );
    this.#delete = database.prepare('DELETE FROM revocation WHERE app = ? AND id = ?');
    this.#forget = database.prepare('DELETE FROM revocation WHERE until <= ?');
    this.#forgetApp = database.prepare('DELETE FROM revocation WHERE app = ?');
  }

  load(): Revocation[] {
    return this.#standing.all(this.#now()).map(({ body }) => JSON.parse(body) as Revocation);
  }

  /** Within a transaction. */
  save(revocation: Revocation): void {
    const { appId, id } = revocation;
    this.#forget.run(this.#now());
    this.#save.run(appId, id, Math.ceil(keptUntil(revocation)), JSON.stringify(revocation));
  }

  /** Within a transaction. */
  forgetApp(appId: string): void {
    this.#forgetApp.run(appId);
  }

  /** Within a transaction. */
  forget(appId: string, id: string): void {
    this.#delete.run(appId, id);
  }
}
