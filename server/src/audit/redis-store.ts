import { z } from 'zod';
import { loadScript, type Script } from '../redis/script.ts';
import type { ScriptRunner } from '../redis/script-runner.ts';
import type { AuditStore } from './audit-store.ts';
import { type AuditPage, type AuditQuery, matcherOf } from './query.ts';
import { type AuditRecord, type Head, NO_RECORDS, type Sealed } from './record.ts';

export interface RedisStoreParts {
  readonly commands: ScriptRunner;
  /** With what the names of all keys of the service begin. */
  readonly prefix: string;
  readonly node: string;
  readonly keepMs: number;
  readonly maxBytes: number;
}

/** Bytes of a record in Redis, about. */
const RECORD_BYTES = 512;
/** Records of one read, and reads of one request, which answers with what it has found, and a cursor. */
const PAGE = 1000;
const MAX_READS = 20;
const CURSOR = /^\d{1,16}-\d{1,16}$/;
/** Milliseconds between the time of a record and its arrival in Redis, at most: the clocks of nodes differ. */
const EARLY_MS = 600_000;

const pageSchema = z.array(z.tuple([z.string(), z.tuple([z.literal('record'), z.string()])]));
const append = load('append');
const read = load('read');

/** The log of a cluster: one stream in Redis, in which each node has its own chain. */
export class RedisStore implements AuditStore {
  readonly node: string;
  readonly #parts: RedisStoreParts;
  readonly #key: string;
  #head: Head = NO_RECORDS;

  constructor(parts: RedisStoreParts) {
    this.node = parts.node;
    this.#parts = parts;
    this.#key = `${parts.prefix}:{audit}`;
  }

  get head(): Head {
    return this.#head;
  }

  /** What is appended again after an answer that was lost is there once. */
  async append({ lines, head }: Sealed): Promise<void> {
    const { commands, node, keepMs, maxBytes } = this.#parts;
    const most = Math.floor(maxBytes / RECORD_BYTES);
    await commands.run(append, this.#key, node, head.seq, keepMs, most, ...lines);
    this.#head = head;
  }

  async find(query: AuditQuery): Promise<AuditPage | undefined> {
    if (query.cursor !== undefined && !CURSOR.test(query.cursor)) return undefined;
    const match = matcherOf(query);
    const found: AuditRecord[] = [];
    let from = query.cursor ? `(${query.cursor}` : firstId(query.from);
    for (let reads = 0; reads < MAX_READS; reads += 1) {
      const page = pageSchema.parse(await this.#parts.commands.run(read, this.#key, from, PAGE));
      for (const [id, [, line]] of page) {
        const record = match(line);
        if (record) found.push(record);
        if (found.length === query.limit) return { records: byTime(found), cursor: id };
        from = `(${id}`;
      }
      if (page.length < PAGE) return { records: byTime(found), cursor: undefined };
    }
    return { records: byTime(found), cursor: from.slice(1) };
  }

  async close(): Promise<void> {}
}

function firstId(from: number | undefined): string {
  return from === undefined ? '-' : `${Math.max(0, from - EARLY_MS)}-0`;
}

/** The nodes write at their own times. */
function byTime(records: readonly AuditRecord[]): readonly AuditRecord[] {
  return records.toSorted((a, b) => a.at_ms - b.at_ms);
}

function load(name: string): Script {
  return loadScript(new URL(`lua/${name}.lua`, import.meta.url));
}
