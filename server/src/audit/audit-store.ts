import type { AuditPage, AuditQuery } from './query.ts';
import type { Head, Sealed } from './record.ts';

/** Where the records of one node are kept. */
export interface AuditStore {
  /** The name of the node in its records. */
  readonly node: string;
  /** The last record that is kept. */
  readonly head: Head;
  /**
   * Keeps records that follow the head: all of them, or none if it rejects.
   *
   * @param at Unix milliseconds of the first record
   */
  append(sealed: Sealed, at: number): Promise<void>;
  /** @returns `undefined` if the cursor has another form */
  find(query: AuditQuery): Promise<AuditPage | undefined>;
  close(): Promise<void>;
}
