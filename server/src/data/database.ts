import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { MIGRATIONS } from './schema.ts';

/** What a column can hold. */
export type Value = string | number | null;

/** A prepared statement. Values are always bound, never written into its text. */
export interface Statement<Parameters extends readonly Value[], Row> {
  /** @returns how many rows it changed */
  run(...values: Parameters): number;
  get(...values: Parameters): Row | undefined;
  all(...values: Parameters): Row[];
}

/** A data directory that cannot be used, and why. */
export class DataError extends Error {
  override readonly name = 'DataError';
}

const FILE = 'countersign.db';
const OWNER_ONLY = 0o600;
/** Bytes of the write-ahead log beyond which it is copied into the file before anything else is written. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;
/** Milliseconds after which that is tried again where it failed. */
const LOG_PAUSE_MS = 1000;
/** The permissions of group and others. */
const OTHERS = 0o077;

/**
 * The file of everything that outlives the process. Its calls block their thread, so transactions are kept short. A
 * committed transaction is on disk.
 */
export class Database {
  readonly #database: InstanceType<typeof Libsql>;
  /** The file of the write-ahead log. */
  readonly #log: string;
  /** When the log may be copied again, as `performance.now()` counts. */
  #copyAt = 0;

  /**
   * Opens `countersign.db` in a directory, makes both where they are missing, and brings the tables up to date.
   *
   * @throws DataError if another process has it open, a newer version wrote it, or it cannot be read
   */
  constructor(directory: string) {
    const file = join(directory, FILE);
    this.#log = `${file}-wal`;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      keepToOwner(file);
      this.#database = new Libsql(file);
    } catch (cause) {
      throw new DataError(`The data directory ${directory} cannot be used: ${messageOf(cause)}`, { cause });
    }
    try {
      // The first access takes the lock, which the process keeps until it ends in whatever way.
      this.#database.pragma('locking_mode = EXCLUSIVE');
      this.#database.pragma('journal_mode = WAL');
      this.#database.pragma('synchronous = FULL');
      this.transaction(() => this.#migrate(file));
    } catch (cause) {
      this.#database.close();
      if (cause instanceof DataError) throw cause;
      const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'SQLITE_BUSY';
      const why = isTaken ? 'another process has it open' : messageOf(cause);
      throw new DataError(`${file} cannot be used: ${why}`, { cause });
    }
  }

  prepare<Parameters extends readonly Value[] = [], Row = never>(sql: string): Statement<Parameters, Row> {
    const statement = this.#database.prepare(sql);
    return {
      run: (...values) => statement.run(values).changes,
      get: (...values) => statement.get(values) as Row | undefined,
      all: (...values) => statement.all(values) as Row[],
    };
  }

  /** All or nothing. */
  transaction<Result>(work: () => Result): Result {
    this.#boundLog();
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      // Some failures, such as a full disk, roll the transaction back themselves.
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    // Statements keep a closed database open until they are collected, so the lock is given back step by step: it
    // belongs to the journal mode, and goes with the access after the change.
    this.#database.pragma('journal_mode = DELETE');
    this.#database.pragma('locking_mode = NORMAL');
    this.#database.prepare('SELECT count(*) FROM sqlite_schema').all();
    this.#database.close();
  }

  /**
   * SQLite copies the log into the file as it goes, and says nothing where that fails, as on a disk with no room for the file
   * to grow. The log would then grow as long as it can.
   *
   * @throws Error if the log is at its bound and cannot be copied
   */
  #boundLog(): void {
    if (!this.#isLogFull()) return;
    if (performance.now() >= this.#copyAt) {
      this.#copyAt = performance.now() + LOG_PAUSE_MS;
      this.#database.pragma('wal_checkpoint(TRUNCATE)');
      if (!this.#isLogFull()) return;
    }
    throw new Error('the write-ahead log is full and cannot be copied into the file');
  }

  #isLogFull(): boolean {
    return (statSync(this.#log, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES;
  }

  #migrate(file: string): void {
    const version =
      this.prepare<[], { user_version: number }>('PRAGMA user_version').get()?.user_version ?? 0;
    if (version > MIGRATIONS.length) {
      throw new DataError(`${file} cannot be used: a newer version of the broker wrote it`);
    }
    // Nothing is written if nothing has changed: the disk may be full.
    if (version === MIGRATIONS.length) return;
    for (const migration of MIGRATIONS.slice(version)) this.#database.exec(migration);
    this.#database.pragma(`user_version = ${MIGRATIONS.length}`);
  }
}

/** Keeps a file to its owner, because it holds what users said. SQLite gives its other files the same mode. */
function keepToOwner(file: string): void {
  // An existing file is not opened: closing it would release the lock that this process may have on it.
  if (!existsSync(file)) closeSync(openSync(file, 'ax', OWNER_ONLY));
  for (const each of [file, `${file}-wal`, `${file}-shm`, `${file}-journal`]) {
    if (existsSync(each) && (statSync(each).mode & OTHERS) !== 0) chmodSync(each, OWNER_ONLY);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
