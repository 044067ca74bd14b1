import type { Logger } from 'pino';
import type { Audit } from '../../audit/audit.ts';
import { PendingEntries } from '../../audit/pending-entries.ts';
import type { AuditPage, AuditQuery } from '../../audit/query.ts';
import type { AuditEvent } from '../../audit/record.ts';
import { Unavailable } from '../../errors.ts';
import { type Metrics, reached } from '../../metrics.ts';
import type { ParentApi } from '../protocol.ts';
import type { Rpc } from '../rpc/rpc.ts';

export interface WorkerAuditParts {
  readonly parent: Rpc<ParentApi>;
  /** Whether grants are refused while nothing can be written. */
  readonly isRequired: boolean;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Milliseconds for which entries are gathered. */
const GATHER_MS = 20;
/** Milliseconds between two questions whether the parent can write. */
const ASK_MS = 500;
const BATCH = 1000;

/** The audit log of a worker: the parent writes. */
export class WorkerAudit implements Audit {
  readonly #parts: WorkerAuditParts;
  readonly #pending = new PendingEntries();
  readonly #asking: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #fault: string | undefined;

  constructor(parts: WorkerAuditParts) {
    this.#parts = parts;
    if (parts.isRequired) this.#asking = setInterval(() => this.#send(), ASK_MS).unref();
  }

  record(event: AuditEvent): void {
    const { metrics, log } = this.#parts;
    if (this.#pending.add({ at: Date.now(), event })) {
      this.#timer ??= setTimeout(() => this.#send(), GATHER_MS);
      return;
    }
    reached(metrics, log, 'audit_records');
    metrics.auditRecordsLost += 1;
  }

  admit(): void {
    if (this.#parts.isRequired && this.#fault !== undefined) throw new Unavailable(this.#fault);
  }

  find(query: AuditQuery): Promise<AuditPage | undefined> {
    return this.#parts.parent.call('audit', 'find', [query]);
  }

  /** Hands over what waits. */
  async close(): Promise<void> {
    clearInterval(this.#asking);
    while (this.#pending.size > 0 && this.#fault !== GONE) {
      this.#send();
      await this.#sending;
    }
    clearTimeout(this.#timer);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#hand().finally(() => {
      this.#sending = undefined;
      if (this.#pending.size > 0) this.#timer ??= setTimeout(() => this.#send(), GATHER_MS);
    });
  }

  async #hand(): Promise<void> {
    const entries = this.#pending.first(BATCH);
    this.#pending.remove(entries.length);
    try {
      this.#fault = await this.#parts.parent.call('audit', 'take', [entries]);
    } catch (error) {
      // The parent may have them, and a worker without its parent ends.
      this.#parts.log.error({ err: error, records: entries.length }, 'audit records may be lost');
      this.#parts.metrics.auditRecordsLost += entries.length;
      this.#fault = GONE;
    }
  }
}

const GONE = 'The parent, which writes the audit log, does not answer';
