import type { HistoryRow, Note, NoteKind, SavedChannel, StoredNote } from '../history/durable.ts';
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

interface NoteRow {
  readonly n: number;
  readonly app: string;
  readonly kind: NoteKind;
  readonly id: string;
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
  readonly #notes: Statement<[number, number], NoteRow>;
  readonly #setNote: Statement<[string, NoteKind, string, number, string], never>;
  readonly #deleteNote: Statement<[string, NoteKind, string], never>;
  readonly #expireNotes: Statement<[number], never>;
  readonly #forgetNotes: Statement<[string], never>;
  readonly #forgetChannel: Statement<[string, string], never>;
  readonly #forgetEvents: Statement<[string], never>;
  readonly #forgetChannels: Statement<[string], never>;

  readonly #now: () => number;

  /** @param now the clock, in Unix milliseconds */
  constructor(database: Database, now: () => number) {
    this.#now = now;
    this.#notes = database.prepare('SELECT * FROM history_note WHERE n > ? ORDER BY n LIMIT ?');
    this.#setNote = database.prepare(
      `INSERT INTO history_note (app, kind, id, ends_at, body) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (app, kind, id) DO UPDATE SET ends_at = excluded.ends_at, body = excluded.body`,
    );
    this.#deleteNote = database.prepare('DELETE FROM history_note WHERE app = ? AND kind = ? AND id = ?');
    this.#expireNotes = database.prepare('DELETE FROM history_note WHERE ends_at <= ?');
    this.#forgetNotes = database.prepare('DELETE FROM history_note WHERE app = ?');
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

  /** Notes of all apps after a number, in order. */
  notes(after: number): StoredNote[] {
    return this.#notes.all(after, PAGE_ROWS).map(({ app, ends_at: endsAt, ...rest }) => {
      return { appId: app, endsAt, ...rest };
    });
  }

  /** Within a transaction. */
  save(channels: readonly SavedChannel[], notes: readonly Note[]): void {
    if (notes.length > 0) this.#expireNotes.run(this.#now());
    for (const { appId, kind, id, endsAt, body } of notes) {
      if (body === undefined) this.#deleteNote.run(appId, kind, id);
      else this.#setNote.run(appId, kind, id, endsAt, body);
    }
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
    this.#forgetNotes.run(appId);
  }
}
