import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCheckpoint } from './checkpoint.ts';
import { CHECKPOINT_FILE, FOLDER, firstSeqOf, HEAD_FILE, linesOf, logFilesOf, readHead } from './folder.ts';
import { faultOf, type Head, NO_RECORDS, readRecord } from './record.ts';

/** The result of a verification. */
export interface Verified {
  readonly records: number;
  /** Whether a checkpoint was found whose signature is valid. */
  readonly hasSignedCheckpoint: boolean;
  /** `FILE:LINE: sentence` about the first line that does not follow; `undefined` if all do. */
  readonly fault: string | undefined;
}

/**
 * Verifies the log in a data directory: every line, the order of its files, and that it reaches its head and its
 * checkpoint.
 *
 * @param publicKey of the checkpoints; without it their signature is not checked
 * @throws Error of the file system if there is no log
 */
export async function verifyLog(data: string, publicKey: KeyObject | undefined): Promise<Verified> {
  const folder = join(data, FOLDER);
  const expected = await expectedHeads(folder, publicKey);
  let records = 0;
  let head: Head | undefined;
  let last = { file: join(folder, HEAD_FILE), line: 1 };
  const failed = (fault: string): Verified => ({ records, hasSignedCheckpoint: false, fault });
  if (typeof expected === 'string') return failed(expected);
  for (const name of await logFilesOf(folder)) {
    const file = join(folder, name);
    let number = 0;
    for await (const lines of linesOf(file)) {
      for (const { bytes, isWhole } of lines) {
        number += 1;
        const at = `${file}:${number}`;
        const line = bytes.toString();
        if (!isWhole) return failed(`${at}: the line has no end`);
        const isFirst = number === 1;
        const before = head ?? (isFirst && firstSeqOf(name) === 1 ? NO_RECORDS : undefined);
        const fault = Buffer.from(line).equals(bytes) ? faultOf(line, before) : 'it is no UTF-8';
        if (fault !== undefined) return failed(`${at}: ${fault}`);
        const { seq, hash } = readRecord(line)!;
        if (isFirst && seq !== firstSeqOf(name)) {
          return failed(`${at}: it is record ${seq}, and its file is named for record ${firstSeqOf(name)}`);
        }
        const other = expected.find((each) => each.seq === seq && each.hash !== hash);
        if (other) return failed(`${at}: it has another hash than ${other.source} says`);
        head = { seq, hash };
        records += 1;
        last = { file, line: number };
      }
    }
  }
  const beyond = expected.find(({ seq }) => seq > (head?.seq ?? 0));
  if (beyond) {
    const end = `${last.file}:${last.line}: the log ends at record ${head?.seq ?? 0}`;
    return failed(`${end}, and ${beyond.source} says that it reaches record ${beyond.seq}`);
  }
  const hasSignedCheckpoint =
    publicKey !== undefined && expected.some(({ source }) => source === CHECKPOINT_FILE);
  return { records, hasSignedCheckpoint, fault: undefined };
}

/** A head that the log must reach. */
interface ExpectedHead extends Head {
  /** The file that says so. */
  readonly source: string;
}

/** @returns a fault of the checkpoint if it has one */
async function expectedHeads(
  folder: string,
  publicKey: KeyObject | undefined,
): Promise<readonly ExpectedHead[] | string> {
  const head = await readHead(folder);
  const heads = head ? [{ ...head, source: HEAD_FILE }] : [];
  const file = join(folder, CHECKPOINT_FILE);
  const note = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (note === undefined) return heads;
  const checkpoint = readCheckpoint(note, publicKey);
  if (typeof checkpoint === 'string') return `${file}:1: ${checkpoint}`;
  return [...heads, { ...checkpoint, source: CHECKPOINT_FILE }];
}
