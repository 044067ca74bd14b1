import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Broker } from '@countersign/server';
import { expect } from 'vitest';
import { request } from './api.ts';
import type { Credentials } from './brokers/server.ts';

/** A record of the audit log. */
export interface AuditRecord {
  readonly seq: number;
  readonly at_ms: number;
  readonly node: string;
  readonly type: string;
  readonly app: string;
  readonly prev: string;
  readonly hash: string;
  readonly [field: string]: unknown;
}

/** The log files in a data directory, the oldest first. */
export function auditFiles(data: string): string[] {
  const folder = join(data, 'audit');
  const names = readdirSync(folder).filter((name) => name.endsWith('.ndjson'));
  return names.sort().map((name) => join(folder, name));
}

/** The lines of all log files, in their order. */
export function auditLines(data: string): string[] {
  return auditFiles(data).flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1));
}

/** All records that the HTTP API finds, page by page. */
export async function findAudit(
  broker: Pick<Broker, 'url'>,
  query: Record<string, string> = {},
  app?: Credentials,
): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = { ...query, ...(cursor !== undefined && { cursor }) };
    const { status, body } = await request(broker, 'GET', '/audit', { query: page, ...(app && { app }) });
    expect(status).toBe(200);
    const answer = body as { readonly records: readonly AuditRecord[]; readonly cursor?: string };
    found.push(...answer.records);
    cursor = answer.cursor;
  } while (cursor !== undefined);
  return found;
}
