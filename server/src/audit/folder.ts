/** The folder of the audit log: what its files are called, and how they are read. */
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Head } from './record.ts';

export const FOLDER = 'audit';
export const HEAD_FILE = 'head.json';
export const CHECKPOINT_FILE = 'checkpoint.txt';
const LOG_FILE = /^\d{16}\.ndjson$/;
const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;
/** More than any record has, so that a file of something else is not gathered in memory. */
const MAX_LINE_BYTES = 64 * 1024;

/** The name of the file whose first record has this number. */
export function fileNameOf(firstSeq: number): string {
  return `${String(firstSeq).padStart(16, '0')}.ndjson`;
}

export function firstSeqOf(fileName: string): number {
  return Number(fileName.slice(0, 16));
}

/** The names of the log files, the oldest first. */
export async function logFilesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => LOG_FILE.test(name)).sort();
}

/** @returns `undefined` if there is none, or it is damaged */
export async function readHead(folder: string): Promise<Head | undefined> {
  try {
    const head: unknown = JSON.parse(await readFile(join(folder, HEAD_FILE), 'utf8'));
    const isHead =
      typeof head === 'object' &&
      head !== null &&
      'seq' in head &&
      Number.isSafeInteger(head.seq) &&
      'hash' in head &&
      typeof head.hash === 'string';
    return isHead ? (head as Head) : undefined;
  } catch {
    return undefined;
  }
}

/** A line, and where the next one begins. A last line without an end has `isWhole` false. */
export interface Line {
  readonly bytes: Buffer;
  readonly next: number;
  readonly isWhole: boolean;
}

/** The lines of a file from a position up to another one. */
export async function* linesOf(
  file: string,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly Line[]> {
  const handle = await open(file, 'r');
  try {
    let position = start;
    let rest: Buffer = Buffer.alloc(0);
    while (position < end) {
      const wanted = Math.min(CHUNK_BYTES, end - position);
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(wanted), 0, wanted, position);
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const offset = position - rest.length;
      position += bytesRead;
      const lines: Line[] = [];
      let from = 0;
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
        lines.push({ bytes: bytes.subarray(from, at), next: offset + at + 1, isWhole: true });
        from = at + 1;
      }
      rest = bytes.subarray(from);
      if (rest.length > MAX_LINE_BYTES) {
        lines.push({ bytes: rest, next: position, isWhole: false });
        rest = Buffer.alloc(0);
      }
      yield lines;
    }
    if (rest.length > 0) yield [{ bytes: rest, next: position, isWhole: false }];
  } finally {
    await handle.close();
  }
}

/** The end of a log file. */
export interface Tail {
  /** The last whole line; `undefined` if there is none. */
  readonly line: string | undefined;
  /** Bytes up to its end. */
  readonly bytes: number;
  /** Bytes behind it. */
  readonly torn: number;
}

export async function tailOf(file: string): Promise<Tail> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 2 * MAX_LINE_BYTES);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const end = buffer.lastIndexOf(NEWLINE);
    if (end < 0) return { line: undefined, bytes: size - length, torn: length };
    const begin = end === 0 ? -1 : buffer.lastIndexOf(NEWLINE, end - 1);
    const line = buffer.subarray(begin + 1, end).toString();
    return { line, bytes: size - length + end + 1, torn: length - end - 1 };
  } finally {
    await handle.close();
  }
}
