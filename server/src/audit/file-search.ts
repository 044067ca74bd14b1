import { join } from 'node:path';
import { KeyedQueue } from '../async/keyed-queue.ts';
import { firstSeqOf, linesOf, logFilesOf } from './folder.ts';
import { type AuditPage, type AuditQuery, matcherOf } from './query.ts';
import { type AuditRecord, readRecord } from './record.ts';

/** Bytes that one request reads; it answers with what it has found, and a cursor. */
const MAX_READ_BYTES = 16 * 1024 * 1024;
/** The first record of a file, and the byte in it at which the next line begins. */
const CURSOR = /^(\d{1,16})-(\d{1,15})$/;

interface Span {
  readonly least: number;
  readonly most: number;
}

/** The file that is written to, and how much of it may be read. */
export interface WrittenFile {
  readonly name: string;
  readonly length: number;
}

/** Finds records in the files of the log, in slices that leave time to others. */
export class FileSearch {
  readonly #folder: string;
  readonly #current: () => WrittenFile | undefined;
  /** The times of files that do not change any more, once they have been read. */
  readonly #spans = new Map<string, Span>();
  /** One search at a time, because each reads much. */
  readonly #queue = new KeyedQueue<'search'>();

  constructor(folder: string, current: () => WrittenFile | undefined) {
    this.#folder = folder;
    this.#current = current;
  }

  async find(query: AuditQuery): Promise<AuditPage | undefined> {
    const [, first = '0', offset = '0'] = CURSOR.exec(query.cursor ?? '0-0') ?? [];
    if (query.cursor !== undefined && !CURSOR.test(query.cursor)) return undefined;
    return this.#queue.run('search', () => this.#find(query, Number(first), Number(offset)));
  }

  async #find(query: AuditQuery, firstSeq: number, offset: number): Promise<AuditPage> {
    const match = matcherOf(query);
    const found: AuditRecord[] = [];
    let budget = MAX_READ_BYTES;
    const names = await logFilesOf(this.#folder);
    this.#forget(names);
    for (const name of names) {
      const seq = firstSeqOf(name);
      if (seq < firstSeq || !this.#mayHold(name, query)) continue;
      const start = seq === firstSeq ? offset : 0;
      const current = this.#current();
      const isCurrent = current?.name === name;
      const times: number[] = [];
      for await (const lines of linesOf(
        join(this.#folder, name),
        start,
        isCurrent ? current.length : undefined,
      )) {
        for (const { bytes, next } of lines) {
          budget -= bytes.length + 1;
          const line = bytes.toString();
          if (!isCurrent && start === 0) times.push(readRecord(line)?.at_ms ?? 0);
          const record = match(line);
          if (record) found.push(record);
          if (found.length === query.limit || budget < 0) return { records: found, cursor: `${seq}-${next}` };
        }
      }
      if (times.length > 0) this.#spans.set(name, spanOf(times));
    }
    return { records: found, cursor: undefined };
  }

  #mayHold(name: string, { from, to }: AuditQuery): boolean {
    const span = this.#spans.get(name);
    if (!span) return true;
    return (from === undefined || span.most >= from) && (to === undefined || span.least < to);
  }

  #forget(names: readonly string[]): void {
    for (const name of this.#spans.keys()) if (!names.includes(name)) this.#spans.delete(name);
  }
}

function spanOf(times: readonly number[]): Span {
  let [least = 0] = times;
  let most = least;
  for (const time of times) {
    least = Math.min(least, time);
    most = Math.max(most, time);
  }
  return { least, most };
}
