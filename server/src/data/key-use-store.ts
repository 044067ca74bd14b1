import { KEPT_USE_DAYS } from '../adapter/key-uses.ts';
import { type KeyUse, type KeyUses, mergeKeyUses } from '../apps/keys/key-usage.ts';
import type { Database, Statement } from './database.ts';

const DAY_SECONDS = 86_400;

interface Row {
  readonly key: string;
  readonly use: KeyUse;
  readonly at: number;
}

/** When keys were used last, in the data file. */
export class SqliteKeyUses {
  readonly #now: () => number;
  readonly #add: Statement<[string, string, string, number], never>;
  readonly #of: Statement<[string], Row>;
  readonly #forget: Statement<[number], never>;
  readonly #forgetApp: Statement<[string], never>;

  /** @param now the clock, in Unix milliseconds */
  constructor(database: Database, now: () => number) {
    this.#now = now;
    this.#add = database.prepare(
      'INSERT INTO key_use (app, key, use, at) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)',
    );
    this.#of = database.prepare('SELECT key, use, at FROM key_use WHERE app = ?');
    this.#forget = database.prepare('DELETE FROM key_use WHERE at < ?');
    this.#forgetApp = database.prepare('DELETE FROM key_use WHERE app = ?');
  }

  /** Within a transaction. */
  add(appId: string, uses: KeyUses): void {
    this.#forget.run(Math.floor(this.#now() / 1000) - KEPT_USE_DAYS * DAY_SECONDS);
    for (const [key, last] of Object.entries(uses))
      for (const [use, at] of Object.entries(last)) this.#add.run(appId, key, use, at);
  }

  of(appId: string): KeyUses {
    return this.#of
      .all(appId)
      .reduce<KeyUses>(
        (uses, { key, use, at }) => mergeKeyUses(uses, Object.fromEntries([[key, { [use]: at }]])),
        {},
      );
  }

  /** Within a transaction. */
  forgetApp(appId: string): void {
    this.#forgetApp.run(appId);
  }
}
