import type { KeyObject } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { DataError } from '../data/database.ts';
import { OutageLog } from '../log/outage-log.ts';
import type { AuditStore } from './audit-store.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { FileSearch } from './file-search.ts';
import { CHECKPOINT_FILE, FOLDER, fileNameOf, HEAD_FILE, logFilesOf, readHead, tailOf } from './folder.ts';
import type { AuditPage, AuditQuery } from './query.ts';
import { type Head, NO_RECORDS, readRecord, type Sealed } from './record.ts';
import type { Retention } from './retention.ts';

export interface FileStoreParts {
  /** The data directory. */
  readonly data: string;
  readonly node: string;
  /** Signs checkpoints. */
  readonly privateKey: KeyObject;
  readonly retention: Retention;
  /** A day with more has several files. */
  readonly maxFileBytes: number;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds between two checkpoints. @default 60_000 */
  readonly checkpointMs?: number | undefined;
}

const OWNER_ONLY = 0o600;
const DAY_MS = 86_400_000;
const CHECKPOINT_MS = 60_000;

/** The file that is written to. */
interface Current {
  readonly name: string;
  readonly handle: FileHandle;
  /** The day of its first record since the start, in days since 1970. */
  readonly day: number;
  /** Bytes that are on the disk; whatever is behind them is left over from a write that failed. */
  length: number;
}

/** The log in the data directory: a record a line, a new file each day. */
export class FileStore implements AuditStore {
  readonly node: string;
  readonly #parts: FileStoreParts;
  readonly #folder: string;
  readonly #search: FileSearch;
  readonly #headOutage: OutageLog;
  readonly #checkpoints: NodeJS.Timeout;
  #head: Head;
  #current: Current | undefined;
  #hasNews = false;

  private constructor(parts: FileStoreParts, head: Head, current: Current | undefined) {
    const { log, data, node, checkpointMs = CHECKPOINT_MS } = parts;
    this.node = node;
    this.#parts = parts;
    this.#folder = join(data, FOLDER);
    this.#head = head;
    this.#current = current;
    this.#search = new FileSearch(this.#folder, () => this.#current);
    this.#headOutage = new OutageLog(
      log,
      'audit head or checkpoint cannot be written',
      'audit head and checkpoint are written again',
    );
    this.#checkpoints = setInterval(() => void this.#writeCheckpoint(), checkpointMs).unref();
  }

  /**
   * Opens the log; a last line that was not written to its end is cut off.
   *
   * @throws DataError if its last line is no record
   */
  static async open(parts: FileStoreParts): Promise<FileStore> {
    const { data, log, retention } = parts;
    const folder = join(data, FOLDER);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await logFilesOf(folder);
    const last = names.at(-1);
    const { head, current } = await openLast(folder, last, names.at(-2), log);
    await retention.clean(folder, last);
    return new FileStore(parts, head, current);
  }

  get head(): Head {
    return this.#head;
  }

  async append({ lines, head }: Sealed, at: number): Promise<void> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    const current = await this.#fileFor(at);
    try {
      await writeAll(current.handle, bytes, current.length);
      await current.handle.datasync();
    } catch (error) {
      // A part of it may be there. Where this fails too, the next write overwrites it.
      await current.handle.truncate(current.length).catch(() => {});
      throw error;
    }
    current.length += bytes.length;
    this.#head = head;
    this.#hasNews = true;
    await this.#write(HEAD_FILE, JSON.stringify({ seq: head.seq, hash: head.hash }));
  }

  find(query: AuditQuery): Promise<AuditPage | undefined> {
    return this.#search.find(query);
  }

  async close(): Promise<void> {
    clearInterval(this.#checkpoints);
    await this.#writeCheckpoint();
    await this.#current?.handle.close();
  }

  async #fileFor(at: number): Promise<Current> {
    const day = Math.floor(at / DAY_MS);
    const current = this.#current;
    if (current && current.day === day && current.length < this.#parts.maxFileBytes) return current;
    const name = fileNameOf(this.#head.seq + 1);
    const handle = await openNew(join(this.#folder, name));
    this.#current = { name, handle, day, length: 0 };
    await current?.handle.close();
    await syncFolder(this.#folder);
    // What is too old is removed when there is something new.
    await this.#parts.retention.clean(this.#folder, name);
    return this.#current;
  }

  async #writeCheckpoint(): Promise<void> {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    const { node, privateKey, now } = this.#parts;
    const checkpoint = writeCheckpoint({ ...this.#head, node, at: now() }, privateKey);
    this.#hasNews = !(await this.#write(CHECKPOINT_FILE, checkpoint));
  }

  /** Under another name first: a reader never sees half of it. */
  async #write(name: string, text: string): Promise<boolean> {
    const file = join(this.#folder, name);
    try {
      await writeFile(`${file}.new`, text, { mode: OWNER_ONLY });
      await rename(`${file}.new`, file);
      this.#headOutage.succeeded();
      return true;
    } catch (error) {
      this.#headOutage.failed(error, { file: name });
      return false;
    }
  }
}

async function openLast(
  folder: string,
  last: string | undefined,
  beforeLast: string | undefined,
  log: Logger,
): Promise<{ readonly head: Head; readonly current: Current | undefined }> {
  const written = await readHead(folder);
  if (last === undefined) return { head: written ?? NO_RECORDS, current: undefined };
  const file = join(folder, last);
  const { line, bytes, torn } = await tailOf(file);
  if (torn > 0) {
    log.warn({ file: last, bytes: torn }, 'audit record that was not written to its end is removed');
    await truncate(file, bytes);
  }
  const text = line ?? (beforeLast && (await tailOf(join(folder, beforeLast))).line);
  const record = text === undefined ? undefined : readRecord(text);
  if (text !== undefined && !record) {
    throw new DataError(
      `${file} cannot be continued: its last line is no record. Move the folder away to begin a new audit log`,
    );
  }
  const found = record ?? NO_RECORDS;
  const isCut = written !== undefined && found.seq < written.seq;
  // The chain goes on from the head, so that what is missing can be seen for ever.
  if (isCut)
    log.error({ record: found.seq, head: written.seq }, 'audit records are missing at the end of the log');
  const head = isCut ? written : { seq: found.seq, hash: found.hash };
  if (line === undefined || record === undefined || isCut) return { head, current: undefined };
  const handle = await open(file, 'r+');
  const day = Math.floor(record.at_ms / DAY_MS);
  return { head, current: { name: last, handle, day, length: bytes } };
}

/** One that an earlier process made and did not write to is used. */
async function openNew(file: string): Promise<FileHandle> {
  const handle = await open(file, 'a+', OWNER_ONLY);
  const { size } = await handle.stat();
  await handle.close();
  if (size > 0) throw new Error(`${file} is there already`);
  return open(file, 'r+');
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
