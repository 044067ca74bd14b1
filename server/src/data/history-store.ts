import type { HistoryRow, SavedChannel } from '../history/durable.ts';
import type { Database, Statement } from './database.ts';

const PAGE_ROWS = 2000;

interface Row {
  readonly version: number;
  readonly app: string;
  readonly channel: string;
  readonly at: number;
  readonly ends_at: number;
  readonly body: string;
}

/** Histories in the data file. Its calls block, so they are made by the thread that has the file open. */
export class SqliteHistoryStore {
  readonly #run: Statement<[], { readonly run: string }>;
  readonly #page: Statement<[number, number], Row>;
  readonly #channels: Statement<
    [],
    { readonly app: string; readonly channel: string; readonly before: number; readonly last: number }
  >;
  readonly #add: Statement<[number, string, string, number, number, string], never>;
  readonly #drop: Statement<[string, string, number], never>;
  readonly #set: Statement<[string, string, number, number], never>;
  readonly #forgetChannel: Statement<[string, string], never>;
  readonly #forgetEvents: Statement<[string], never>;
  readonly #forgetChannels: Statement<[string], never>;

  constructor(database: Database) {
    this.#run = database.prepare('SELECT run FROM history_run');
    this.#page = database.prepare('SELECT * FROM history WHERE version > ? ORDER BY version LIMIT ?');
    this.#channels = database.prepare('SELECT * FROM history_channel');
    this.#add = database.prepare(
      'INSERT OR REPLACE INTO history (version, app, channel, at, ends_at, body) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#drop = database.prepare('DELETE FROM history WHERE app = ? AND channel = ? AND version <= ?');
    this.#set = database.prepare(
      `INSERT INTO history_channel (app, channel, before, last) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET before = max(before, excluded.before), last = max(last, excluded.last)`,
    );
    this.#forgetChannel = database.prepare('DELETE FROM history_channel WHERE app = ? AND channel = ?');
    this.#forgetEvents = database.prepare('DELETE FROM history WHERE app = ?');
    this.#forgetChannels = database.prepare('DELETE FROM history_channel WHERE app = ?');
  }

  /** Random text that positions of this file are made with. */
  run(): string {
    return this.#run.get()?.run ?? '';
  }

  channels(): Omit<SavedChannel, 'rows'>[] {
    return this.#channels.all().map(({ app, ...rest }) => ({ appId: app, ...rest }));
  }

  /** Events of all apps after a version, in order. */
  page(after: number): (HistoryRow & { readonly appId: string; readonly channel: string })[] {
    return this.#page.all(after, PAGE_ROWS).map(({ app, channel, version, at, ends_at: endsAt, body }) => {
      return { appId: app, channel, version, atMs: at, endsAt, ...JSON.parse(body) };
    });
  }

  /** Within a transaction. */
  save(channels: readonly SavedChannel[]): void {
    for (const { appId, channel, before, last, rows, isForgotten } of channels) {
      if (isForgotten) {
        this.#forgetChannel.run(appId, channel);
        continue;
      }
      for (const { version, atMs, endsAt, ...body } of rows)
        this.#add.run(version, appId, channel, atMs, endsAt, JSON.stringify(body));
      this.#drop.run(appId, channel, before);
      this.#set.run(appId, channel, before, last);
    }
  }

  /** Within a transaction. */
  forgetApp(appId: string): void {
    this.#forgetEvents.run(appId);
    this.#forgetChannels.run(appId);
  }
}
