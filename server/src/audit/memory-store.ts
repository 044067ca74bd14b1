import type { AuditStore } from './audit-store.ts';
import { type AuditPage, type AuditQuery, matcherOf } from './query.ts';
import { type AuditRecord, type Head, NO_RECORDS, type Sealed } from './record.ts';

const MAX_RECORDS = 10_000;

/** The last records of a node that keeps nothing: a line has less than 2 KB. */
export class MemoryStore implements AuditStore {
  #lines: string[] = [];
  #head: Head = NO_RECORDS;

  constructor(readonly node: string) {}

  get head(): Head {
    return this.#head;
  }

  async append({ lines, head }: Sealed): Promise<void> {
    this.#lines = this.#lines.concat(lines).slice(-MAX_RECORDS);
    this.#head = head;
  }

  async find(query: AuditQuery): Promise<AuditPage | undefined> {
    const { cursor = '0', limit } = query;
    if (!/^\d{1,15}$/.test(cursor)) return undefined;
    const match = matcherOf(query);
    const found: AuditRecord[] = [];
    const first = this.#head.seq - this.#lines.length + 1;
    for (const line of this.#lines.slice(Math.max(0, Number(cursor) + 1 - first))) {
      const record = match(line);
      if (!record) continue;
      if (found.length === limit) return { records: found, cursor: String(found.at(-1)?.seq) };
      found.push(record);
    }
    return { records: found, cursor: undefined };
  }

  async close(): Promise<void> {}
}
