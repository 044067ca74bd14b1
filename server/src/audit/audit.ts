import type { AuditPage, AuditQuery } from './query.ts';
import type { AuditEvent, Entry } from './record.ts';

/** The audit log, as those see it who have something to record. */
export interface Audit {
  /** Records what happened, in a moment. */
  record(event: AuditEvent): void;
  /** @throws Unavailable if grants are refused because they could not be recorded */
  admit(): void;
  /** @returns `undefined` if the cursor has another form */
  find(query: AuditQuery): Promise<AuditPage | undefined>;
}

/** The audit log of a node, as its other processes see it. */
export interface NodeAudit {
  /**
   * Takes what another process has to record.
   *
   * @returns why nothing can be written at present
   */
  take(entries: readonly Entry[]): string | undefined;
  find: Audit['find'];
}
