import type { Block } from '../adapter/blocks.ts';
import type { Database, Statement } from './database.ts';

/** Who is kept out, beyond the end of the process. */
export class SqliteBlockStore {
  readonly #now: () => number;
  readonly #standing: Statement<[number], StoredBlock>;
  readonly #save: Statement<[string, string, string, string, number], never>;
  readonly #forget: Statement<[number], never>;
  readonly #forgetApp: Statement<[string], never>;

  /** @param now the clock, in Unix milliseconds */
  constructor(database: Database, now: () => number) {
    this.#now = now;
    this.#standing = database.prepare('SELECT app, channel, user, reason, until FROM block WHERE until > ?');
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO block (app, channel, user, reason, until) VALUES (?, ?, ?, ?, ?)',
    );
    this.#forget = database.prepare('DELETE FROM block WHERE until <= ?');
    this.#forgetApp = database.prepare('DELETE FROM block WHERE app = ?');
  }

  load(): Block[] {
    return this.#standing.all(this.#now()).map(({ app, channel, user, reason, until }) => ({
      appId: app,
      userId: user,
      channel: channel === '' ? undefined : channel,
      reason,
      until,
    }));
  }

  /** Within a transaction. */
  forgetApp(appId: string): void {
    this.#forgetApp.run(appId);
  }

  /** Within a transaction. */
  save({ appId, channel = '', userId, reason, until }: Block): void {
    this.#forget.run(this.#now());
    this.#save.run(appId, channel, userId, reason, until);
  }
}

interface StoredBlock {
  readonly app: string;
  /** Empty for a block that stands everywhere. */
  readonly channel: string;
  readonly user: string;
  readonly reason: string;
  readonly until: number;
}
