import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Metrics, reached } from '../metrics.ts';
import { logFilesOf, tailOf } from './folder.ts';
import { readRecord } from './record.ts';

export interface RetentionParts {
  /** Milliseconds for which records are kept. */
  readonly keepMs: number;
  /** Bytes of all files. */
  readonly maxBytes: number;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** Removes whole files: those whose last record is too old, and the oldest ones if there are too many bytes. */
export class Retention {
  readonly #parts: RetentionParts;
  readonly #startedAt: number;
  readonly #origin = performance.now();

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    this.#startedAt = parts.now();
  }

  /**
   * Never rejects: what cannot be removed now is removed later.
   *
   * @param current the file that is written to, which stays
   */
  async clean(folder: string, current: string | undefined): Promise<void> {
    const { keepMs, maxBytes, metrics, log } = this.#parts;
    try {
      const files = await Promise.all(
        (await logFilesOf(folder)).map(async (name) => ({
          name,
          bytes: (await stat(join(folder, name))).size,
        })),
      );
      let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
      for (const { name, bytes } of files) {
        if (name === current) return;
        const file = join(folder, name);
        const { line = '' } = await tailOf(file);
        const isOld = (readRecord(line)?.at_ms ?? 0) < this.#now() - keepMs;
        if (!isOld && total <= maxBytes) return;
        await unlink(file);
        total -= bytes;
        if (isOld) log.info({ file: name }, 'old audit records removed');
        else reached(metrics, log, 'audit_bytes', { file: name });
      }
    } catch (error) {
      log.error({ err: error }, 'old audit records could not be removed');
    }
  }

  /** A clock that is set forward by mistake removes nothing. */
  #now(): number {
    return Math.min(this.#parts.now(), this.#startedAt + performance.now() - this.#origin);
  }
}
