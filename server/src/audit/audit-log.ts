import type { Logger } from 'pino';
import { Unavailable } from '../errors.ts';
import { OutageLog } from '../log/outage-log.ts';
import { type Metrics, reached } from '../metrics.ts';
import type { Audit, NodeAudit } from './audit.ts';
import type { AuditStore } from './audit-store.ts';
import { PendingEntries } from './pending-entries.ts';
import type { AuditPage, AuditQuery } from './query.ts';
import { type AuditEvent, type Entry, seal } from './record.ts';

export interface AuditLogParts {
  readonly store: AuditStore;
  /** Whether grants are refused while nothing can be written. */
  readonly isRequired: boolean;
  readonly fullAddresses: boolean;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** Milliseconds for which entries are gathered, and between two attempts after a failure. */
const GATHER_MS = 50;
const RETRY_MS = 1000;
/** Entries of one write: sealing them takes a few milliseconds. */
const BATCH = 500;
/** Milliseconds after which a write that has not ended counts as a failure. */
const SLOW_MS = 5000;
/** Milliseconds that a closing log waits for its last write. */
const CLOSE_MS = 5000;

/** The audit log of a node: gathers what is recorded, and writes it in groups. */
export class AuditLog implements Audit, NodeAudit {
  readonly #parts: AuditLogParts;
  readonly #pending = new PendingEntries();
  readonly #outage: OutageLog;
  /** The number of entries of each app that found no room since the last write. */
  readonly #lost = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  /** When the write in progress began, by the monotonic clock. */
  #writingSince: number | undefined;
  #hasFailed = false;
  #closed = false;

  constructor(parts: AuditLogParts) {
    this.#parts = parts;
    const { log } = parts;
    this.#outage = new OutageLog(log, 'audit records cannot be written', 'audit records are written again');
  }

  record(event: AuditEvent): void {
    this.#add({ at: this.#parts.now(), event });
  }

  take(entries: readonly Entry[]): string | undefined {
    for (const entry of entries) this.#add(entry);
    return this.fault;
  }

  admit(): void {
    if (this.#parts.isRequired && this.fault !== undefined) throw new Unavailable(this.fault);
  }

  find(query: AuditQuery): Promise<AuditPage | undefined> {
    return this.#parts.store.find(query);
  }

  /** Why nothing can be written at present; `undefined`: it can. */
  get fault(): string | undefined {
    const since = this.#writingSince;
    if (!this.#hasFailed && (since === undefined || performance.now() - since < SLOW_MS)) return undefined;
    return 'The audit log cannot be written';
  }

  /** Entries that wait to be written. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** Writes what waits, as far as that is possible. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const deadline = performance.now() + CLOSE_MS;
    await Promise.race([this.#finish(), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
    const { log, store } = this.#parts;
    if (this.#pending.size > 0) log.error({ records: this.#pending.size }, 'audit records are lost');
    // A write that hangs would keep the process.
    if (performance.now() < deadline) await store.close();
  }

  async #finish(): Promise<void> {
    await this.#writing;
    while (this.#pending.size > 0) {
      await this.#write();
      if (this.#hasFailed) return;
    }
  }

  #add(entry: Entry): void {
    const { metrics, log } = this.#parts;
    if (this.#pending.add(entry)) return this.#schedule(GATHER_MS);
    const { app } = entry.event;
    if (this.#lost.size === 0) reached(metrics, log, 'audit_records');
    this.#lost.set(app, (this.#lost.get(app) ?? 0) + 1);
    metrics.auditRecordsLost += 1;
  }

  #schedule(delayMs: number): void {
    if (this.#timer || this.#writing || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write().finally(() => {
        this.#writing = undefined;
        if (this.#pending.size > 0) this.#schedule(this.#hasFailed ? RETRY_MS : 0);
      });
    }, delayMs);
  }

  async #write(): Promise<void> {
    const { store, fullAddresses, metrics } = this.#parts;
    const entries = this.#pending.first(BATCH);
    const [first] = entries;
    if (!first) return;
    try {
      this.#writingSince = performance.now();
      const sealed = seal({ node: store.node, fullAddresses }, store.head, entries);
      await store.append(sealed, first.at);
      this.#pending.remove(entries.length);
      metrics.auditRecords += entries.length;
      this.#hasFailed = false;
      this.#outage.succeeded();
      this.#recordLoss();
    } catch (error) {
      this.#hasFailed = true;
      this.#outage.failed(error);
    } finally {
      this.#writingSince = undefined;
    }
  }

  /** A log that does not say that it is incomplete would be wrong. */
  #recordLoss(): void {
    if (this.#lost.size === 0) return;
    const lost = [...this.#lost];
    this.#lost.clear();
    for (const [app, count] of lost) {
      this.record({ type: 'records_lost', app, reason: `${count} records could not be written` });
    }
  }
}
